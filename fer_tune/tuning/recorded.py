"""Runs that replay recorded curves through the real driver: no pictures, no networks.

For tests and simulations of the search itself: Ray, Optuna, ASHA, stoppers and records are the
real ones, only the training is a recording.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_tune.space import SearchSpace
from fer_tune.storage import Place, address
from fer_tune.training.context import TrialContext
from fer_tune.training.course import EpochReport
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The curve of one run.

    Attributes:
        values: validation macro-F1 per epoch, in [0, 1]; as many as the longest run needs.
        val_loss, train_loss: per epoch; by default 2 - value and a steady fall.
        oom_at: epoch at which memory runs out.
        crash_at: epoch at which the process raises, every time.
        seconds: that an epoch takes.
        memory: peak per epoch, in MiB; by default 0.
    """

    values: Sequence[float]
    val_loss: Sequence[float] | None = None
    train_loss: Sequence[float] | None = None
    oom_at: int | None = None
    crash_at: int | None = None
    seconds: float = 0.0
    memory: Sequence[float] | None = None


def recorded_settings(space: SearchSpace, results: Place) -> WorkerSettings:
    """Settings of recorded runs, which touch neither data nor weights."""
    context = TrialContext(
        dataset="",
        fingerprint="",
        validation_share=space.data.validation_share,
        split_seed=space.seeds.split,
        leaks=space.data.leaks,
        conflicts=space.data.conflicts,
        weights="none",
        weights_seed=space.seeds.weights,
        view_seed=space.seeds.views,
        views=1,
        resize_ratio=1.0,
        precision="float32",
        max_epochs=space.budget.max_epochs,
        metric=space.metric,
        patience=space.stopper.patience if space.stopper.enabled else None,
        window=space.stopper.window,
        bank=None,
        bank_bytes=None,
        threads=1,
    )
    return WorkerSettings(context=context, results=address(results))


Player = Callable[[Assignment], Recording]


class RecordedRun:
    """A :class:`fer_tune.tuning.trainable.Run` that plays a recording."""

    def __init__(self, player: Player, settings: WorkerSettings, assignment: Assignment) -> None:
        self._recording = player(assignment)
        self.course = settings.context.course(classes=2, stop_early=assignment.cohort != "confirm")
        self.best_counts = np.eye(2, dtype=np.int64)

    def prepare(self) -> None:
        """Nothing to build."""

    def run_epoch(self) -> EpochReport | None:
        played, epoch = self._recording, self.course.epoch + 1
        time.sleep(played.seconds)
        if epoch == played.crash_at:
            raise RuntimeError(f"recorded crash at epoch {epoch}")
        if epoch == played.oom_at:
            self.course.out_of_memory = True
            return None
        value = played.values[epoch - 1]
        val_loss = played.val_loss[epoch - 1] if played.val_loss else 2.0 - value
        train_loss = played.train_loss[epoch - 1] if played.train_loss else 1.0 / epoch
        report = EpochReport(
            epoch=epoch,
            train_loss=train_loss,
            train_accuracy=value,
            train_macro_f1=value,
            val_loss=val_loss,
            val_accuracy=value,
            val_macro_f1=value if math.isfinite(val_loss) else math.nan,
            lr_head=0.0,
            lr_backbone=0.0,
            seconds=played.seconds,
            images_per_s=0.0,
            bank_hits=0,
            bank_misses=0,
            peak_memory_mib=played.memory[epoch - 1] if played.memory else 0.0,
        )
        self.course.reports.append(report)
        return report

    def score(self) -> dict[str, Any]:
        assert self.course.best is not None
        value = self.course.best.val_macro_f1
        return {name: value for name in ("test_macro_f1", "test_accuracy")}

    def save(self, folder: Path) -> None:
        rows = [vars(report) for report in self.course.reports]
        (folder / "curve.json").write_text(json.dumps(rows))

    def restore(self, folder: Path) -> None:
        rows = json.loads((folder / "curve.json").read_text())
        self.course.reports = [EpochReport(**row) for row in rows]
