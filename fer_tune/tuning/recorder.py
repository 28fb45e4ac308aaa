"""The callback that writes: the log of events first, then the records that follow from it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
from ray.tune.experiment import Trial

from fer_tune.records import SCHEMAS, Results
from fer_tune.storage import Place, write_atomically
from fer_tune.tuning.asha import SCORE
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.callback import DriverCallback
from fer_tune.tuning.checkpoints import Checkpoints, checkpointed
from fer_tune.tuning.confirmation import confusion_rows
from fer_tune.tuning.events import EventLog, History
from fer_tune.tuning.faults import fault_of
from fer_tune.tuning.run_history import RunHistory

logger = logging.getLogger(__name__)

_EPOCH_COLUMNS = [
    c for c in SCHEMAS["epochs"].names if c not in ("trial", "arm", "replicate", "cohort")
]
_TRIAL_COLUMNS = SCHEMAS["trials"].names
#: What a run reports, without what Ray adds to it.
_REPORTED = {*_EPOCH_COLUMNS, *_TRIAL_COLUMNS, SCORE} | {
    "ran",
    "epoch_seconds",
    "epoch_peak_memory_mib",
    "best_counts",
    "stop_reason",
    "latency",
}


class Recorder(DriverCallback):
    """Writes events and rows, on the driver alone.

    Every run has one part per table, written anew with every epoch: what is written again after
    a kill replaces itself.

    Args:
        gpu, cpu: share of an accelerator and CPUs that a trial holds, for the cost columns.
        history: of earlier sittings; grows with what is reported.
    """

    def __init__(
        self,
        results: Results,
        log: EventLog,
        history: History,
        *,
        classes: tuple[str, ...],
        gpu: float,
        cpu: float,
    ) -> None:
        self.results, self.classes = results, classes
        self._log, self._history = log, history
        self._gpu, self._cpu = gpu, cpu

    # -- Ray's hooks ------------------------------------------------------------------------

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        if "disk_fault" in result:
            raise OSError(*result["disk_fault"])
        run = self._run(trial)
        reported = {name: value for name, value in result.items() if name in _REPORTED}
        # ASHA has decided by now: ``done`` without a reason of the run's own is its doing.
        done = bool(result.get("done"))
        if run.take(reported, done=done):
            number = run.assignment.number
            self._log.append("epoch", trial=number, result=reported, done=done)
            self._write_epochs(run)
            if reported["ran"]:
                logger.info(
                    "%s epoch %d: train loss %.4f, validation loss %.4f, macro-F1 %.4f, %.1f s",
                    run.assignment.name,
                    reported["epoch"],
                    reported["train_loss"],
                    reported["val_loss"],
                    reported["val_macro_f1"],
                    reported["epoch_seconds"],
                )

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        run = self._run(trial)
        self._write_end(run)
        logger.info("%s ended: %s", run.assignment.name, reason_of(run))

    def on_trial_recover(self, trial: Trial, **info: Any) -> None:
        self._refuse_if_done(trial)
        logger.warning(
            "%s failed and begins again from its last epoch: %s",
            self._run(trial).assignment.name,
            fault_of(trial).line,
        )

    def on_trial_error(self, trial: Trial, **info: Any) -> None:
        self._refuse_if_done(trial)
        run = self._run(trial)
        run.failed = True
        fault = fault_of(trial)
        self._log.append("failed", trial=run.assignment.number, fault=fault.line)
        write_atomically(error_file(self.results, run.assignment), fault.text)
        self._write_end(run)
        where = error_file(self.results, run.assignment)
        logger.error("%s failed: %s (%s)", run.assignment.name, fault.line, where)

    def on_step_end(self, **info: Any) -> None:
        self._log.tick()

    def _refuse_if_done(self, trial: Trial) -> None:
        """Ray takes what a callback raises at a run's end for a fault of the run's."""
        if self._run(trial).done:
            raise RuntimeError(fault_of(trial).text)

    def _run(self, trial: Trial) -> RunHistory:
        return self._history.run(Assignment.from_dict(trial.config["run"]))

    # -- rows -------------------------------------------------------------------------------

    def plan(self, runs: Iterable[Assignment]) -> None:
        """Logs confirmation runs before they start; what one without a score left is void."""
        for run in runs:
            known = self._history.runs.get(run.number)
            if known is not None and not known.ended:
                continue
            if known is None:
                self._log.append("asked", planned="confirm", run=run.as_dict())
            else:
                assert known.assignment.cohort == "confirm", "a trial has this run's number"
                self._log.append("retried", trial=run.number)
            self._history.runs[run.number] = RunHistory(assignment=run, planned="confirm")
            self._take_back(run)

    def repair(self) -> None:
        """Writes what a kill left between the log and the records."""
        # Asked once for all: a store takes its time over every question.
        written, left = self.results.parts("trials"), checkpointed(self.results.root)
        for run in self._history.runs.values():
            if not run.ended:
                self._take_back(run.assignment)  # it may have been begun again
                self._write_epochs(run)
            elif _part(run.assignment) not in written:
                self._write_epochs(run)
                self._write_end(run)
            elif run.assignment.number in left:
                Checkpoints(self.results.root, run.assignment.number).drop()

    def _take_back(self, assignment: Assignment) -> None:
        """Removes the rows of a run that has not ended."""
        self.results.remove("trials", _part(assignment))
        self.results.remove("confusion", _part(assignment))
        if not self._history.runs[assignment.number].results:
            self.results.remove("epochs", _part(assignment))

    def _write_epochs(self, run: RunHistory) -> None:
        who = run.assignment.who()
        rows = [
            {
                **who,
                **{name: result.get(name) for name in _EPOCH_COLUMNS},
                "seconds": result["epoch_seconds"],
                # In logs that began earlier there is but the run's most so far.
                "peak_memory_mib": result.get(
                    "epoch_peak_memory_mib", result.get("peak_memory_mib")
                ),
            }
            for result in run.results
            if result.get("ran")
        ]
        self.results.append("epochs", rows, part=_part(run.assignment))

    def _write_end(self, run: RunHistory) -> None:
        assignment, part, last = run.assignment, _part(run.assignment), run.last
        if "best_counts" in last:
            counts = np.asarray(last["best_counts"], dtype=np.int64)
            rows = confusion_rows(
                assignment.who(), "validation", "all", last["best_epoch"], counts, self.classes
            )
            self.results.append("confusion", rows, part=part)
        self.results.append("trials", [self._trial_row(run)], part=part)
        Checkpoints(self.results.root, assignment.number).drop()

    def _trial_row(self, run: RunHistory) -> dict[str, Any]:
        assignment, last = run.assignment, run.last
        reason = reason_of(run)
        seconds = float(last.get("seconds", 0.0))
        return {
            **{name: last.get(name) for name in _TRIAL_COLUMNS},
            **assignment.who(),
            **assignment.config.as_dict(),
            "seed": assignment.seed,
            "state": state_of(reason),
            "stop_reason": reason,
            "audit_epoch": run.audited_at,
            "epochs": int(last.get("epochs", 0)),
            "seconds": seconds,
            "accelerator_seconds": seconds * self._gpu,
            "cpu_seconds": seconds * self._cpu,
        }


def _part(assignment: Assignment) -> str:
    return f"trial-{assignment.number:06d}"


def error_file(results: Results, assignment: Assignment) -> Place:
    """Where a failed run's traceback is kept."""
    return results.root / "errors" / f"{_part(assignment)}.txt"


def reason_of(run: RunHistory) -> str:
    """Why an ended run ended, as in the ``trials`` table.

    An audited trial has both: that ASHA would have stopped it, and the end that it came to, as in
    ``asha/completed``.
    """
    reason = "error" if run.failed else run.last.get("stop_reason") or "asha"
    return reason if run.audited_at is None else f"asha/{reason}"


def state_of(reason: str) -> str:
    """The trial state that a stop reason means; ``pruned`` for whatever ASHA would have stopped."""
    if reason.partition("/")[0] == "asha":
        return "pruned"
    return {"completed": "complete", "error": "failed"}.get(reason, reason)
