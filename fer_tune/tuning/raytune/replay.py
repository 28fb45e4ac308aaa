"""Runs that replay recorded learning curves through the real driver, without pictures or networks.

For tests and simulations of the search itself: Ray, Optuna, ASHA, stoppers and records are real,
only the training is recorded.
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
from fer_tune.storage import AnyPath, address
from fer_tune.training.context import TrialContext
from fer_tune.training.learning_curve import EpochReport
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The curve of one run.

    Attributes:
        values: validation macro-F1 per epoch, in [0, 1]; as many as the longest run needs.
        val_loss, train_loss: per epoch; by default 2 - value and a steady fall.
        oom_at: epoch at which memory runs out.
        oom_had_share: whether the run then had its whole share of the GPU.
        crash_at: epoch at which the process raises, every time.
        seconds: that an epoch takes.
        memory: peak per epoch, in MiB; by default 0.
    """

    values: Sequence[float]
    val_loss: Sequence[float] | None = None
    train_loss: Sequence[float] | None = None
    oom_at: int | None = None
    oom_had_share: bool | None = None
    crash_at: int | None = None
    seconds: float = 0.0
    memory: Sequence[float] | None = None


def replay_settings(space: SearchSpace, results: AnyPath) -> WorkerSettings:
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


class ReplayedRun:
    """A :class:`fer_tune.tuning.raytune.trainable.Run` that plays a recording."""

    def __init__(self, player: Player, settings: WorkerSettings, assignment: Assignment) -> None:
        self._recording = player(assignment)
        self.curve = settings.context.learning_curve(
            classes=2, stop_early=assignment.cohort != "confirm"
        )
        self.best_counts = np.eye(2, dtype=np.int64)

    def prepare(self) -> None:
        """Nothing to build."""

    def run_epoch(self) -> EpochReport | None:
        played, epoch = self._recording, self.curve.epoch + 1
        time.sleep(played.seconds)
        if epoch == played.crash_at:
            raise RuntimeError(f"recorded crash at epoch {epoch}")
        if epoch == played.oom_at:
            self.curve.out_of_memory = True
            self.curve.oom_had_share = played.oom_had_share
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
        self.curve.reports.append(report)
        return report

    def score(self) -> dict[str, Any]:
        assert self.curve.best is not None
        value = self.curve.best.val_macro_f1
        return {name: value for name in ("test_macro_f1", "test_accuracy")}

    def snapshot(self) -> Callable[[Path], None]:
        text = json.dumps([vars(report) for report in self.curve.reports])

        def write(folder: Path) -> None:
            (folder / "curve.json").write_text(text)

        return write

    def restore(self, folder: Path) -> None:
        rows = json.loads((folder / "curve.json").read_text())
        self.curve.reports = [EpochReport(**row) for row in rows]
