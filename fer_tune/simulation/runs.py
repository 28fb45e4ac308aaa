"""A simulated run, and a simulated search."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.world import Course, Floats
from fer_tune.space import SearchSpace
from fer_tune.training.learning_curve import EpochReport, LearningCurve
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.studies.asha import SCORE

State = Literal["complete", "pruned", "overfit", "diverged", "oom", "failed"]


@dataclass(kw_only=True)
class SimulatedRun:
    """A trial or confirmation run.

    Attributes:
        curve: its epochs so far.
        asked, began, ended: seconds since the beginning of the search; NaN before.
        busy_s: seconds for which it was on a slot, all restarts included.
        losses: times that its machine was lost.
        trained: epochs trained so far on the current machine, earlier ones included; after a loss
            fewer than were reported.
        state: how it ended.
    """

    assignment: Assignment
    course: Course
    curve: LearningCurve
    asked: float
    began: float = math.nan
    ended: float = math.nan
    busy_s: float = 0.0
    losses: int = 0
    trained: int = 0
    state: State | None = None

    @property
    def epochs(self) -> int:
        """Epochs reported."""
        return self.curve.epoch

    @property
    def best(self) -> float:
        """Best validation value so far, larger is better (a loss is negated); NaN without one."""
        return self.curve.score

    @property
    def potential(self) -> float:
        """The best value of the whole course, whatever stopped it; NaN if it fails."""
        if self.course.fails_after is not None:
            return math.nan
        values = self.course.values if self.curve.metric != "loss" else -self.course.values
        finite = values[np.isfinite(values) & np.isfinite(self.course.val_loss)]
        return float(finite.max()) if finite.size else math.nan

    @property
    def held_s(self) -> float:
        """Seconds that its record has: one set-up, and each reported epoch once."""
        return self.course.setup_s + float(self.course.seconds[: self.epochs].sum())

    @property
    def test(self) -> float:
        """Macro-F1 on the test split of the best epoch; NaN without one."""
        return self._at_best(self.course.test)

    @property
    def truth(self) -> float:
        """The same without what the run's seed adds."""
        return self._at_best(self.course.truth)

    def _at_best(self, scores: Floats) -> float:
        best = self.curve.best_epoch
        return math.nan if best is None else float(scores[best - 1])

    def has_error(self) -> bool:
        """Whether the next epoch ends with an error."""
        return self._fails() and self.course.failure == "failed"

    def _fails(self) -> bool:
        return self.course.fails_after is not None and self.trained >= self.course.fails_after

    def advance(self) -> dict[str, Any]:
        """Adds the next epoch, or the lack of memory in it; returns what a run reports."""
        ran = not self._fails()
        if ran:
            self.curve.reports.append(_report(self.course, self.epochs, self.curve.metric))
        else:
            self.curve.out_of_memory = True
        reason = self.curve.stop_reason()
        result = {
            "epoch": self.epochs,
            "ran": ran,
            "done": reason is not None,
            "stop_reason": reason,
            SCORE: self.curve.score,
            "oom_had_share": None if ran else True,
            "setup_seconds": self.course.setup_s,
            "seconds": float(self.course.seconds[: self.epochs].sum()),
        }
        if ran:
            result["epoch_seconds"] = float(self.course.seconds[self.epochs - 1])
            result[f"val_{self.curve.metric}"] = self.curve.values()[-1]
        return result


def _report(course: Course, at: int, metric: str) -> EpochReport:
    value = float(course.values[at])
    return EpochReport(
        epoch=at + 1,
        train_loss=float(course.train_loss[at]),
        train_accuracy=math.nan,
        train_macro_f1=math.nan,
        val_loss=value if metric == "loss" else float(course.val_loss[at]),
        val_accuracy=value if metric == "accuracy" else math.nan,
        val_macro_f1=value if metric == "macro_f1" else math.nan,
        lr_head=math.nan,
        lr_backbone=math.nan,
        seconds=float(course.seconds[at]),
        images_per_s=math.nan,
        bank_hits=0,
        bank_misses=0,
        peak_memory_mib=math.nan,
    )


@dataclass(kw_only=True)
class SimulatedSearch:
    """A search that has ended.

    Attributes:
        trials: in order of asking, without confirmation runs.
        confirmations: runs of the choices.
        searched_s: virtual seconds to the end of the last trial.
        seconds: to the end of the last confirmation run.
        fleet_s: seconds for which GPUs were there, over all of them, whether or not they were used.
        is_cut: whether a budget besides that of trials ended it.
    """

    space: SearchSpace
    fleet: Fleet
    trials: list[SimulatedRun]
    confirmations: list[SimulatedRun] = field(default_factory=list)
    searched_s: float = 0.0
    seconds: float = 0.0
    fleet_s: float = 0.0
    is_cut: bool = False

    @property
    def runs(self) -> list[SimulatedRun]:
        """Trials and confirmation runs."""
        return [*self.trials, *self.confirmations]

    def trials_table(self) -> pd.DataFrame:
        """What the choice and the validity checks read of the ``trials`` table."""
        sign = -1.0 if self.space.metric == "loss" else 1.0
        return pd.DataFrame(
            {
                **run.assignment.config.as_dict(),
                **run.assignment.id_columns(),
                "state": run.state,
                "best_epoch": run.curve.best_epoch,
                f"best_val_{self.space.metric}": sign * run.best,
                "test_macro_f1": float("nan"),
            }
            for run in self.trials
        )

    @property
    def epochs(self) -> int:
        """Epochs of all runs, each counted once."""
        return sum(run.epochs for run in self.runs)

    @property
    def accelerator_s(self) -> float:
        """Seconds times share of a GPU that runs held, as records count them."""
        return self.fleet.share * sum(run.held_s for run in self.runs)

    @property
    def lost_s(self) -> float:
        """The same that no record has: what was repeated after a loss, or ended with an error."""
        return self.fleet.share * self._busy_s - self.accelerator_s

    @property
    def utilisation(self) -> float:
        """Share of the time of the GPUs that were there in which runs were on them, in [0, 1]."""
        whole = self.fleet.runs_per_gpu * self.fleet_s
        return self._busy_s / whole if whole > 0 else 0.0

    @property
    def _busy_s(self) -> float:
        return sum(run.busy_s for run in self.runs)
