"""The Ray actor that trains runs, one after the other, an epoch per step."""

from __future__ import annotations

import logging
import math
import pickle
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import ray
from ray.tune import Trainable

from fer_tune import curves
from fer_tune.records import Results
from fer_tune.scores import Counts
from fer_tune.storage import UrlPath, local_copy
from fer_tune.training.compute import release_memory
from fer_tune.training.course import Course, EpochReport
from fer_tune.training.trial import RunSeeds, TrialRun
from fer_tune.tuning.asha import SCORE
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.checkpoints import Checkpoint, Checkpoints
from fer_tune.tuning.confirmation import score_on_test
from fer_tune.tuning.provision import provided
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
        self._is_provided = False
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
        self._checkpoints = Checkpoints(self._settings.results, self.assignment.number)
        # What another process, or another sitting, left of this run.
        self._saved: dict[str, Any] | None = None
        self._refused: OSError | None = None
        try:
            newest = next(self._checkpoints.newest_first(), None)
            self._saved = None if newest is None else newest.result
        except OSError as error:
            self._refused = error

    def __repr__(self) -> str:
        return self.assignment.title

    @property
    def run(self) -> Run:
        """The run in training, built when first needed so that its faults are the trial's own."""
        if self._run is None:
            if not self._is_provided:
                self._settings, self._is_provided = provided(self._settings), True
            self._run = self._make_run(self._settings, self.assignment)
            self._clock = _Clock()
            try:
                self._go_on(self._run)
            except OSError as error:
                self._refused = error
        return self._run

    def _go_on(self, run: Run) -> None:
        """Brings the run back to its newest checkpoint that can be read."""
        for checkpoint in self._checkpoints.newest_first():
            if _restored(run, checkpoint):
                self._clock = _Clock.of(checkpoint.result)
                break

    def step(self) -> dict[str, Any]:
        """One epoch; ``done`` with a ``stop_reason`` when the run ends by itself.

        A run that goes on from a checkpoint first reports that epoch again: the driver may have
        died before it heard of it.
        """
        # Ray reads __repr__ once per process; the title follows the run that is in training.
        ray._raylet.setproctitle(f"ray::{self.assignment.title}")  # type: ignore[attr-defined]
        if self._refused is None and self._saved is not None:
            result, self._saved = self._saved, None
            return {**result, "node_id": None}  # whoever trained it
        if self._refused is None:
            run = self.run
        if self._refused is not None:  # when the run was given, or just now
            nothing = {"epoch": 0, "ran": False, SCORE: math.nan, "stop_reason": None}
            return {**nothing, "done": True, "disk_fault": _told(self._refused)}
        run.prepare()
        if self._clock.started is None:
            self._clock.started = time.time()
            self._clock.setup_seconds = self._clock.started - self._given
        begun = time.monotonic()
        report = run.run_epoch()
        reason = run.course.stop_reason()
        result = {**_epoch_columns(report, run), **_summary(run), "stop_reason": reason}
        refused: OSError | None = None
        if reason is not None and self._is_to_be_scored(run):
            try:
                result |= run.score()
            except OSError as error:
                refused = error
        self._clock.seconds += time.monotonic() - begun
        result |= {
            "done": reason is not None,
            **vars(self._clock),
            "node": socket.gethostname(),
            "node_id": _node_id(),
        }
        try:
            if refused is None:
                self._save(result)
        except OSError as error:
            refused = error
        if refused is not None:
            # The trial is sound, so it need not fail; the driver ends the search with this fault.
            result["disk_fault"] = _told(refused)
        return result

    def _is_to_be_scored(self, run: Run) -> bool:
        return self.assignment.cohort == "confirm" and run.course.best_epoch is not None

    def _save(self, result: dict[str, Any]) -> None:
        """Saves the run, or just the report once it has ended: nobody goes on from there."""
        write = self.run.save if result["stop_reason"] is None else _nothing
        self._checkpoints.save(result["epoch"], result, write)

    def cleanup(self) -> None:
        self._run = None


@dataclass
class _Clock:
    """Times of a run, over all processes that had it."""

    started: float | None = None  # seconds since the Unix epoch
    setup_seconds: float = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, result: dict[str, Any]) -> _Clock:
        return cls(**{field.name: result[field.name] for field in fields(cls)})


def _restored(run: Run, checkpoint: Checkpoint) -> bool:
    """Whether the run could be brought back to ``checkpoint``; if not, an older one may do.

    Raises:
        OSError: the store at the URL does not answer.
    """
    try:
        with local_copy(checkpoint.folder) as folder:
            run.restore(folder)
    except (OSError, EOFError, KeyError, RuntimeError, ValueError, pickle.PickleError) as error:
        at_url = isinstance(checkpoint.folder, UrlPath)
        if at_url and isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise  # that is no reason to begin anew
        # Its end was lost with the machine. Without any, the run begins anew, to the same end.
        logging.getLogger(__name__).warning("%s cannot be read: %s", checkpoint.folder, error)
        return False
    return True


def _told(refused: OSError) -> list[Any]:
    """A disk's refusal as the driver raises it again."""
    return [refused.errno, refused.strerror, str(refused.filename)]


def _node_id() -> str | None:
    """Ray's id of this node; asked where no Ray runs, it would start one."""
    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else None


def _nothing(folder: Path) -> None:
    """Writes no state."""


def _epoch_columns(report: EpochReport | None, run: Run) -> dict[str, Any]:
    """The ``epochs`` row as result keys; when memory ran out, the epoch that never was.

    What the ``trials`` table has of the whole run under the same name is told apart here.
    """
    if report is None:
        return {"epoch": run.course.epoch, "ran": False}
    columns = {name: getattr(report, name) for name in report.__dataclass_fields__}
    for name in ("seconds", "peak_memory_mib"):
        columns[f"epoch_{name}"] = columns.pop(name)
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
