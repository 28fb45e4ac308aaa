"""What all trials of a search share, and what a process keeps between trials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from fer_tune.data import PackedDataset, Split, cut, view_pictures
from fer_tune.errors import DataError
from fer_tune.features import CHUNK
from fer_tune.models import backbone, calibrate, draw, file_fingerprint, locate, read_state
from fer_tune.training.compute import Compute, Precision
from fer_tune.training.course import Course, Metric

#: Training pictures that batch-norm statistics are calibrated on.
CALIBRATION_PICTURES = 256
#: Of the onset that is recorded when the overfit stopper is off.
DEFAULT_PATIENCE = 3


@dataclass(frozen=True, kw_only=True)
class TrialContext:
    """Settings that are the same for every trial of a search.

    Attributes:
        dataset: folder of the packed dataset on this machine.
        fingerprint: of the dataset that the search began with; another one is refused.
        validation_share, split_seed, leaks, conflicts: how validation is cut from training.
        weights: recipe, ``none`` or path (see :func:`fer_tune.models.locate`).
        weights_seed: draws the backbone's initial weights with ``none``.
        view_seed, views, resize_ratio: the views; ``views`` is K or ``fresh``.
        metric: validation score by which the best epoch is chosen.
        patience, window: of the overfit stopper; patience None switches it off.
        bank: folder of the feature bank, None for none.
        threads: CPU threads per trial; the same number always, because it changes rounding.
        device: ``cpu`` for trials that hold no accelerator; None takes one where there is one.
    """

    dataset: str
    fingerprint: str
    validation_share: float
    split_seed: int
    leaks: Literal["drop", "keep"]
    conflicts: Literal["drop", "keep"]
    weights: str
    weights_seed: int
    view_seed: int
    views: int | Literal["fresh"]
    resize_ratio: float
    precision: Precision
    max_epochs: int
    metric: Metric
    patience: int | None
    window: int
    bank: str | None
    bank_bytes: int | None
    threads: int
    device: str | None = None

    def course(self, *, classes: int, stop_early: bool) -> Course:
        """An empty course under these settings; ``stop_early`` lets the stopper end it."""
        return Course(
            metric=self.metric,
            classes=classes,
            max_epochs=self.max_epochs,
            patience=self.patience or DEFAULT_PATIENCE,
            window=self.window,
            stop_early=stop_early and self.patience is not None,
        )

    def view_of(self, epoch: int) -> int:
        """The view that epoch ``epoch`` (from 1) sees."""
        return epoch - 1 if self.views == "fresh" else (epoch - 1) % self.views


@lru_cache(maxsize=2)
def open_data(
    folder: str, fingerprint: str, share: float, seed: int, leaks: str, conflicts: str
) -> tuple[PackedDataset, Split]:
    """The packed dataset with its splits, opened once per process.

    Raises:
        DataError: the folder holds other pictures than the search began with.
    """
    dataset = PackedDataset.open(Path(folder))
    if dataset.fingerprint != fingerprint:
        raise DataError(
            "this is not the dataset that the search began with",
            where=folder,
            value=dataset.fingerprint,
            remedy=f"Give the dataset with fingerprint {fingerprint}",
        )
    split = cut(
        dataset,
        validation_share=share,
        seed=seed,
        leaks="keep" if leaks == "keep" else "drop",
        conflicts="keep" if conflicts == "keep" else "drop",
    )
    return dataset, split


def data_of(context: TrialContext) -> tuple[PackedDataset, Split]:
    return open_data(
        context.dataset,
        context.fingerprint,
        context.validation_share,
        context.split_seed,
        context.leaks,
        context.conflicts,
    )


def initial_state(
    context: TrialContext, name: str, crop_size: int, weights_seed: int, compute: Compute
) -> tuple[dict[str, Tensor], str]:
    """The backbone's tensors before training, and an identity that names their content."""
    if context.weights == "none":
        return _drawn(context, name, crop_size, weights_seed, compute)
    return _read(context.weights, name)


@lru_cache(maxsize=2)
def _read(weights: str, name: str) -> tuple[dict[str, Tensor], str]:
    entry = backbone(name)
    path = locate(entry, weights)
    assert path is not None
    return read_state(path, entry), file_fingerprint(path)


@lru_cache(maxsize=4)
def _drawn(
    context: TrialContext, name: str, crop_size: int, weights_seed: int, compute: Compute
) -> tuple[dict[str, Tensor], str]:
    dataset, split = data_of(context)
    count = min(CALIBRATION_PICTURES, len(split.train))
    chosen = split.train[np.linspace(0, len(split.train) - 1, count).round().astype(np.int64)]
    chunks = (
        view_pictures(
            dataset,
            part,
            crop_size=crop_size,
            policy="plain",
            view=None,
            seed=0,
            resize_ratio=context.resize_ratio,
        )
        for part in np.array_split(chosen, max(1, count // CHUNK))
    )
    entry = backbone(name)
    state = calibrate(
        entry,
        draw(entry, weights_seed),
        chunks,
        autocast=compute.autocast(),
        device=compute.device,
    )
    identity = (
        f"drawn-{weights_seed}-{crop_size}-{context.resize_ratio}-{context.fingerprint}"
        f"-{context.validation_share}-{context.split_seed}-{context.leaks}-{context.conflicts}"
        f"-{compute.dtype}-{compute.device.type}"
    )
    return state, identity
