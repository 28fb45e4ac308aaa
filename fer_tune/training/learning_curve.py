"""The learning curve of a run: its epochs so far, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fer_tune import curves

Metric = Literal["macro_f1", "accuracy", "loss"]


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """A row of the ``epochs`` table."""

    epoch: int
    train_loss: float
    train_accuracy: float
    train_macro_f1: float
    val_loss: float
    val_accuracy: float
    val_macro_f1: float
    lr_head: float
    lr_backbone: float
    seconds: float
    images_per_s: float
    bank_hits: int
    bank_misses: int
    peak_memory_mib: float
    peak_reserved_mib: float | None = None  # of the accelerator; null on the CPU
    micro_batch: int | None = None  # fewest pictures of a batch that were trained at once


class LearningCurve:
    """A learning curve that grows by one epoch at a time.

    Args:
        metric: validation score by which the best epoch is chosen.
        classes: number of classes; ln(classes) is the loss of a uniform guess.
        patience, window: of the overfit onset.
        stop_early: whether an onset ends the run; confirmation runs continue to their budget.
        spares_improving: whether a run with an onset continues while its metric still improves
            (:func:`fer_tune.curves.improves`): a network whose validation loss rises may rank
            better all the same, as it becomes overconfident.
    """

    def __init__(
        self,
        *,
        metric: Metric,
        classes: int,
        max_epochs: int,
        patience: int,
        window: int,
        stop_early: bool,
        spares_improving: bool = True,
    ) -> None:
        self.metric: Metric = metric
        self.max_epochs = max_epochs
        self.out_of_memory = False
        # Whether the run then had its whole share of the GPU; None without a share.
        self.oom_had_share: bool | None = None
        self.reports: list[EpochReport] = []
        self._classes, self._patience, self._window = classes, patience, window
        self._stop_early, self._spares_improving = stop_early, spares_improving

    @property
    def epoch(self) -> int:
        """Epochs run so far."""
        return len(self.reports)

    def losses(self) -> tuple[list[float], list[float]]:
        """Training and validation loss per epoch."""
        return [r.train_loss for r in self.reports], [r.val_loss for r in self.reports]

    def values(self) -> list[float]:
        """The search's metric on validation, per epoch; NaN where the loss was not finite."""
        name = f"val_{self.metric}"
        return [
            float(getattr(r, name)) if math.isfinite(r.val_loss) else math.nan for r in self.reports
        ]

    @property
    def _mode(self) -> Literal["max", "min"]:
        return "min" if self.metric == "loss" else "max"

    @property
    def best_epoch(self) -> int | None:
        return curves.best_epoch(self.values(), self._mode)

    @property
    def best(self) -> EpochReport | None:
        """The report of the best epoch."""
        return None if self.best_epoch is None else self.reports[self.best_epoch - 1]

    @property
    def score(self) -> float:
        """The best value so far, larger is better (a loss is negated); NaN without one."""
        if self.best_epoch is None:
            return math.nan
        value = self.values()[self.best_epoch - 1]
        return -value if self.metric == "loss" else value

    @property
    def onset(self) -> int | None:
        """Epoch of overfit onset, whether or not it ends the run."""
        return curves.overfit_onset(*self.losses(), patience=self._patience, window=self._window)

    def stop_reason(self) -> str | None:
        """Why the run ends now: ``oom``, ``diverged``, ``completed``, ``overfit`` or None."""
        if self.out_of_memory:
            return "oom"
        if self.reports and curves.diverged(*self.losses(), self._classes):
            return "diverged"
        if self.epoch >= self.max_epochs:
            return "completed"
        if self._stop_early and self.onset is not None and not self._is_spared():
            return "overfit"
        return None

    def _is_spared(self) -> bool:
        improving = curves.improves(self.values(), self._mode, patience=self._patience)
        return self._spares_improving and improving
