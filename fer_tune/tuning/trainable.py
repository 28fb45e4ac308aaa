"""The Ray actor that trains runs, one after the other, an epoch per step."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import ray
from ray.tune import Trainable

from fer_tune import curves
from fer_tune.records import Results
from fer_tune.scores import Counts
from fer_tune.training.compute import release_memory
from fer_tune.training.course import Course, EpochReport
from fer_tune.training.trial import RunSeeds, TrialRun
from fer_tune.tuning.asha import SCORE
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.confirmation import score_on_test
from fer_tune.tuning.settings import WorkerSettings


class Run(Protocol):
    """What the actor asks of a run; :class:`TrialRun` trains, ``recorded.RecordedRun`` replays."""

    course: Course
    best_counts: Counts  # confusion counts of the best epoch on validation

    def prepare(self) -> None:
        """Builds what the first epoch needs."""
        ...

    def run_epoch(self) -> EpochReport | None: ...

    def score(self) -> dict[str, Any]:
        """Scores a confirmation run that has ended; ``test_*`` columns and more."""
        ...

    def save(self, folder: Path) -> None: ...

    def restore(self, folder: Path) -> None: ...


MakeRun = Callable[[WorkerSettings, Assignment], Run]


class ScoredRun(TrialRun):
    """A real run that knows how to score itself on test."""

    def __init__(self, settings: WorkerSettings, assignment: Assignment) -> None:
        confirming = assignment.cohort == "confirm"
        super().__init__(
            settings.context,
            assignment.config,
            RunSeeds(
                run=assignment.seed,
                weights=assignment.weights_seed,
                views=assignment.view_seed,
            ),
            keep_best=confirming,
            stop_early=not confirming,
        )
        self._settings, self._assignment = settings, assignment

    def score(self) -> dict[str, Any]:
        return score_on_test(self, self._assignment, Results(self._settings.results))


class TrialActor(Trainable):
    """A Trainable whose process is reused: the next run costs a network, not an interpreter.

    Whether a run ends by itself (completed, overfit, diverged, out of memory) is decided here,
    from the curve in its own checkpoint; ASHA alone decides on the driver.
    """

    def setup(
        self,
        config: dict[str, Any],
        settings: WorkerSettings | None = None,
        make_run: MakeRun = ScoredRun,
    ) -> None:
        assert settings is not None
        self._settings, self._make_run = settings, make_run
        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._take(new_config)
        return True

    def _take(self, config: dict[str, Any]) -> None:
        # The last run goes before the next is built: two at once may not fit.
        self._run: Run | None = None
        release_memory()
        self.assignment = Assignment.from_dict(config["run"])
        self._given = time.time()
        self._started: float | None = None
        self._setup_seconds = 0.0
        self._seconds = 0.0
        self._ended = False

    def __repr__(self) -> str:
        return self.assignment.name

    @property
    def run(self) -> Run:
        """The run in training, built when first needed so that its faults are the trial's own."""
        if self._run is None:
            self._run = self._make_run(self._settings, self.assignment)
        return self._run

    def step(self) -> dict[str, Any]:
        """One epoch; ``done`` with a ``stop_reason`` when the run ends by itself."""
        # Ray reads __repr__ once per process; the title follows the run that is in training.
        ray._raylet.setproctitle(f"ray::{self.assignment.name}")  # type: ignore[attr-defined]
        run = self.run
        run.prepare()
        if self._started is None:
            self._started = time.time()
            self._setup_seconds = self._started - self._given
        begun = time.monotonic()
        report = run.run_epoch()
        reason = run.course.stop_reason()
        result = {**_epoch_columns(report, run), **_summary(run), "stop_reason": reason}
        if reason is not None:
            self._ended = True
            if self.assignment.cohort == "confirm" and run.course.best_epoch is not None:
                result |= run.score()
        self._seconds += time.monotonic() - begun
        return {
            **result,
            "done": reason is not None,
            "started": self._started,
            "setup_seconds": self._setup_seconds,
            "seconds": self._seconds,
            "node": socket.gethostname(),
        }

    # -- checkpoints ------------------------------------------------------------------------

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Saves the run, or next to nothing once it has ended: nobody goes on from there."""
        folder = Path(checkpoint_dir)
        (folder / "clock").write_text(f"{self._started} {self._setup_seconds} {self._seconds}")
        if not self._ended:
            self.run.save(folder)

    def load_checkpoint(self, checkpoint: Any) -> None:
        assert isinstance(checkpoint, str)
        folder = Path(checkpoint)
        started, setup, seconds = (folder / "clock").read_text().split()
        self._started = None if started == "None" else float(started)
        self._setup_seconds, self._seconds = float(setup), float(seconds)
        self.run.restore(folder)

    def cleanup(self) -> None:
        self._run = None


def _epoch_columns(report: EpochReport | None, run: Run) -> dict[str, Any]:
    """The ``epochs`` row as result keys; when memory ran out, the epoch that never was."""
    if report is None:
        return {"epoch": run.course.epoch, "ran": False}
    columns = {name: getattr(report, name) for name in report.__dataclass_fields__}
    columns["epoch_seconds"] = columns.pop("seconds")
    return {**columns, "ran": True}


def _summary(run: Run) -> dict[str, Any]:
    """What is known of the run so far, in the names of the ``trials`` table."""
    course = run.course
    summary: dict[str, Any] = {
        SCORE: course.score,
        "epochs": course.epoch,
        "max_epochs": course.max_epochs,
        "onset_epoch": course.onset,
        "best_epoch": course.best_epoch,
    }
    if course.reports:
        last = course.reports[-1]
        summary |= {
            "last_val_macro_f1": last.val_macro_f1,
            "last_val_loss": last.val_loss,
            "last_train_loss": last.train_loss,
            "peak_memory_mib": max(r.peak_memory_mib for r in course.reports),
        }
    if course.best is not None:
        summary |= {
            "best_val_macro_f1": course.best.val_macro_f1,
            "best_val_accuracy": course.best.val_accuracy,
            "best_val_loss": course.best.val_loss,
            "generalisation_gap": curves.generalisation_gap(*course.losses(), course.best.epoch),
            "best_counts": run.best_counts.tolist(),
        }
    return summary
