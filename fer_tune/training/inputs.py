"""Data shared by the trials of a process: the dataset with its splits, and initial weights."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from fer_tune.data import PackedDataset, Split, cut, view_pictures
from fer_tune.data.copies import unpack_groups
from fer_tune.data.splits import Handling, Leaks
from fer_tune.errors import DataError
from fer_tune.features.source import CHUNK
from fer_tune.models.initial import calibrate, draw
from fer_tune.models.network import frozen_stages as frozen_stages_of
from fer_tune.models.registry import backbone
from fer_tune.models.weights import file_fingerprint, locate, read_state
from fer_tune.training.context import TrialContext
from fer_tune.training.device.compute import Compute

#: Training pictures that batch-norm statistics are calibrated on.
CALIBRATION_PICTURES = 256
#: Backbones whose drawn tensors a process keeps, and whose frozen stages.
_CALIBRATED_KEPT = _FROZEN_KEPT = 4
_calibrated: OrderedDict[tuple[object, ...], dict[str, Tensor]] = OrderedDict()
_frozen: OrderedDict[tuple[object, ...], list[nn.Sequential]] = OrderedDict()


@lru_cache(maxsize=2)
def open_data(
    folder: str,
    fingerprint: str,
    share: float,
    seed: int,
    leaks: Leaks,
    conflicts: Handling,
    related: bytes | None = None,
) -> tuple[PackedDataset, Split]:
    """The packed dataset with its splits, opened once per process.

    Raises:
        DataError: the folder holds another dataset than the search began with.
    """
    dataset = PackedDataset.open(Path(folder))
    if dataset.fingerprint != fingerprint:
        raise DataError(
            "not the dataset that the search began with",
            where=folder,
            value=dataset.fingerprint,
            remedy=f"Use the dataset with fingerprint {fingerprint}",
        )
    split = cut(
        dataset,
        validation_share=share,
        seed=seed,
        leaks=leaks,
        conflicts=conflicts,
        related=None if related is None else unpack_groups(related, len(dataset)),
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
        context.related,
    )


def initial_state(
    context: TrialContext, name: str, crop_size: int, weights_seed: int, compute: Compute
) -> tuple[dict[str, Tensor], str]:
    """The backbone's tensors before training, and an identity that names their content."""
    if context.weights == "none":
        return _drawn(context, name, crop_size, weights_seed, compute)
    return _read(context.weights, name)


def frozen_stages(
    state: Mapping[str, Tensor], identity: str, name: str, compute: Compute
) -> list[nn.Sequential]:
    """The stages of :func:`initial_state` for frozen prefixes, built once per process."""
    key = (identity, name, compute)
    if key not in _frozen:
        # On an accelerator they count against the run's share of its memory.
        kept = _FROZEN_KEPT if compute.device.type == "cpu" else 1
        while len(_frozen) >= kept:
            _frozen.popitem(last=False)
        _frozen[key] = frozen_stages_of(backbone(name), state, compute.dtype, compute.device)
    _frozen.move_to_end(key)
    return _frozen[key]


@lru_cache(maxsize=2)
def _read(weights: str, name: str) -> tuple[dict[str, Tensor], str]:
    entry = backbone(name)
    path = locate(entry, weights)
    assert path is not None
    return read_state(path, entry), file_fingerprint(path)


def _drawn(
    context: TrialContext, name: str, crop_size: int, weights_seed: int, compute: Compute
) -> tuple[dict[str, Tensor], str]:
    """Drawn once per process for all contexts that share everything the tensors depend on."""
    identity = (
        f"drawn-{weights_seed}-{crop_size}-{context.resize_ratio}-{context.fingerprint}"
        f"-{context.validation_share}-{context.split_seed}-{context.leaks}-{context.conflicts}"
        f"-{compute.dtype}-{compute.device.type}{_of_groups(context.related)}"
    )
    key = (identity, name, compute)
    if key not in _calibrated:
        while len(_calibrated) >= _CALIBRATED_KEPT:
            _calibrated.popitem(last=False)
        _calibrated[key] = _draw_calibrated(context, name, crop_size, weights_seed, compute)
    _calibrated.move_to_end(key)
    return _calibrated[key], identity


def _draw_calibrated(
    context: TrialContext, name: str, crop_size: int, weights_seed: int, compute: Compute
) -> dict[str, Tensor]:
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
    return calibrate(
        entry,
        draw(entry, weights_seed),
        chunks,
        autocast=compute.autocast(),
        device=compute.device,
    )


def _of_groups(related: bytes | None) -> str:
    """Which training pictures the calibration saw also depends on what counts as a copy."""
    return "" if related is None else f"-{hashlib.sha256(related).hexdigest()[:16]}"
