"""Settings shared by all trials of a search. Needs no torch: the driver uses it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fer_tune.training.learning_curve import LearningCurve, Metric

Precision = Literal["auto", "bfloat16", "float32"]

#: Patience for the recorded onset when the overfit stopper is off.
DEFAULT_PATIENCE = 3
#: How runs are trained and ended. A search keeps the version that it began with, so that all of
#: its runs are comparable. In version 1, of searches that record none, class weights and label
#: smoothing are combined as PyTorch does (:mod:`fer_tune.training.optimisation.objective`), and the
#: overfit stopper ends a run although its metric still improves (:class:`LearningCurve`).
TRAINING_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class TrialContext:
    """Settings that are the same for every trial of a search.

    Attributes:
        dataset: folder of the packed dataset on this machine.
        fingerprint: of the dataset that the search began with; any other is rejected.
        validation_share, split_seed, leaks, conflicts: how validation is cut from training.
        weights: recipe, ``none`` or path (see :func:`fer_tune.models.weights.locate`).
        weights_seed: draws the backbone's initial weights with ``none``.
        view_seed, views, resize_ratio: the views; ``views`` is K or ``fresh``.
        metric: validation score by which the best epoch is chosen.
        patience, window: of the overfit stopper; patience None switches it off.
        bank: folder of the feature bank, None for none.
        bank_bytes: bound on it; None for what its disk allows.
        bank_slots: runs on one machine that may each need other features at the same time: each
            may take an equal part of the bank.
        depths: the unfreeze depths that the search may sample, by backbone; pairs, as a context is
            hashable.
        threads: CPU threads per trial; always the same number, because it changes rounding.
        graphs: record training steps as CUDA graphs, on a GPU.
        device: ``cpu`` for trials that hold no accelerator; None takes one where there is one.
        training_version: see :data:`TRAINING_VERSION`.
        gpu: share of a GPU that a trial holds; above 0 a trial without a usable GPU fails.
        related: groups of pictures that count as copies, as the driver found them, packed by
            :func:`fer_tune.data.copies.pack_groups`; None: what the dataset says.
    """

    dataset: str
    fingerprint: str
    validation_share: float
    split_seed: int
    leaks: Literal["drop", "keep", "exact"]
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
    graphs: bool = False
    training_version: int = TRAINING_VERSION
    gpu: float = 0.0
    bank_slots: int = 1
    depths: tuple[tuple[str, tuple[int, ...]], ...] = ()
    related: bytes | None = field(default=None, repr=False)

    def learning_curve(self, *, classes: int, stop_early: bool) -> LearningCurve:
        """An empty learning curve; ``stop_early`` lets the overfit stopper end the run."""
        return LearningCurve(
            metric=self.metric,
            classes=classes,
            max_epochs=self.max_epochs,
            patience=self.patience or DEFAULT_PATIENCE,
            window=self.window,
            stop_early=stop_early and self.patience is not None,
            spares_improving=self.training_version > 1,
        )

    def view_of(self, epoch: int) -> int:
        """The view that epoch ``epoch`` (from 1) sees."""
        return epoch - 1 if self.views == "fresh" else (epoch - 1) % self.views

    def depths_of(self, backbone: str) -> tuple[int, ...]:
        """Unfreeze depths that the search may sample with ``backbone``."""
        return dict(self.depths).get(backbone, ())
