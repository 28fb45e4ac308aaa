"""The callback that writes: the event log first, then the records that follow from it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from ray.tune.experiment import Trial
from rich.console import Console

from fer_tune.console import say
from fer_tune.process.memory_kills import MemoryKills
from fer_tune.records import SCHEMAS, Results, TableName
from fer_tune.storage import AnyPath, unavailable_since, write_atomically
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.record_rows import confusion_rows
from fer_tune.tuning.log.run_history import RunHistory, differences
from fer_tune.tuning.monitor.background import Background
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.checkpoints import Checkpoints, checkpointed
from fer_tune.tuning.raytune.failures import failure_of, out_of_memory
from fer_tune.tuning.studies.asha import SCORE

logger = logging.getLogger(__name__)

#: Seconds by which the ``epochs`` rows of a running trial may be behind the event log.
ROWS_INTERVAL_S = 5.0

_EPOCH_COLUMNS = [
    c for c in SCHEMAS["epochs"].names if c not in ("trial", "arm", "replicate", "cohort")
]
_TRIAL_COLUMNS = SCHEMAS["trials"].names
#: What a run reports, without what Ray adds to it.
_REPORTED = {*_EPOCH_COLUMNS, *_TRIAL_COLUMNS, SCORE} | {
    "ran",
    "epoch_seconds",
    "epoch_peak_memory_mib",
    "epoch_peak_reserved_mib",
    "epoch_micro_batch",
    "oom_had_share",
    "best_counts",
    "stop_reason",
    "latency",
}


class Recorder(DriverCallback):
    """Writes events and rows, on the driver alone.

    Every run has one part per table: what is written again after a kill replaces itself. The part
    of its epochs is written anew at most every :data:`ROWS_INTERVAL_S`, and when the run or the
    phase ends; the event log has every report at once. Rows are written by a thread.

    Args:
        gpu, cpu: share of an accelerator and CPUs that a trial holds, for the cost columns.
        history: of earlier sessions; extended by every report.
        console: prints that an epoch that was trained again differs, as ``search.log`` does.
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
        console: Console | None = None,
    ) -> None:
        self.results, self.classes = results, classes
        self._console = console or Console(quiet=True)
        self._log, self._history = log, history
        self._gpu, self._cpu = gpu, cpu
        self._rows = Background("rows")
        self._memory_kills = MemoryKills()
        self._due: dict[int, float] = {}  # when the epochs of a run are to be written, by number

    # -- Ray's hooks ------------------------------------------------------------------------

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        if "disk_fault" in result:
            raise OSError(*result["disk_fault"])
        run = self._run(trial)
        reported = {name: value for name, value in result.items() if name in _REPORTED}
        # A report that a restarted process repeats is of another time.
        if "latency" in reported and result.get("node_id") is not None:
            others = self._others_at(result["node"], trial, info.get("trials", ()))
            reported["latency"] = {**reported["latency"], "others": others}
        # ASHA has decided by now: ``done`` without a stop reason means that ASHA ended the run.
        done = bool(result.get("done"))
        if done:
            reported = run.as_end(reported)
        if not result.get("restored"):
            self._record_replay(run, reported)
        if run.add_result(reported, done=done):
            number = run.assignment.number
            self._log.append("epoch", trial=number, result=reported, done=done)
            if not done:  # otherwise with the end, which follows
                self._due.setdefault(number, time.monotonic() + ROWS_INTERVAL_S)
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

    def _record_replay(self, run: RunHistory, again: dict[str, Any]) -> None:
        """Records an epoch that was trained again, and compares it with its first report."""
        first = run.reported(again["epoch"]) if again["ran"] and not run.ended else None
        if first is None:
            return
        name, epoch = run.assignment.name, again["epoch"]
        differing = differences(first, again)
        self._log.append("replayed", trial=run.assignment.number, epoch=epoch, equal=not differing)
        run.replayed += 1
        logger.info("%s epoch %d: trained again, after a restart", name, epoch)
        if differing:
            text = (
                f"{name} epoch {epoch}: trained again after a restart, it differs from its first "
                f"report, which is kept: {'; '.join(differing)}"
            )
            if self._gpu:  # whose arithmetic is not the same twice
                logger.info("%s", text)
            else:
                logger.warning("%s", text)
                say(self._console, text)

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        run = self._run(trial)
        self._write_end(run)
        logger.info("%s ended: %s", run.assignment.name, reason_of(run))

    def on_trial_recover(self, trial: Trial, **info: Any) -> None:
        self._refuse_if_done(trial)
        self._memory_kills.recent()  # a failure some seconds later is not of this kill
        logger.warning(
            "%s failed and restarts from its last epoch: %s",
            self._run(trial).assignment.name,
            failure_of(trial).line,
        )

    def on_trial_error(self, trial: Trial, **info: Any) -> None:
        self._refuse_if_done(trial)
        run = self._run(trial)
        failure = failure_of(trial)
        run.failed, run.out_of_memory = True, out_of_memory(failure, self._memory_kills)
        self._log.append(
            "failed",
            trial=run.assignment.number,
            fault=failure.line,
            out_of_memory=run.out_of_memory,
        )
        where = error_file(self.results, run.assignment)
        write_atomically(where, failure.text, within=self.results.root)
        self._write_end(run)
        logger.error("%s failed: %s (%s)", run.assignment.name, failure.line, where)

    def on_step_end(self, **info: Any) -> None:
        self._log.tick()
        self._rows.check()
        self._write_due(time.monotonic())

    def close(self) -> None:
        """Writes the rows of runs that are interrupted, unless that cannot be done now."""
        if self._log.is_broken or unavailable_since(str(self.results.root)) is not None:
            self._rows.abandon()  # a resume writes them
            return
        self._write_due(math.inf)
        self._rows.close()

    def _others_at(self, node: str, trial: Trial, trials: Iterable[Trial]) -> int:
        """Runs besides ``trial`` that are in progress on ``node``.

        Those without a report yet count, too, because it is unknown where they are.
        """
        others = (self._run(t) for t in trials if t is not trial and t.status == Trial.RUNNING)
        return sum(run.last.get("node") in (node, None) for run in others)

    def finish(self) -> None:
        """Removes what processes wrote of runs that ASHA had ended in the meantime."""
        for number in checkpointed(self.results.root):
            run = self._history.runs.get(number)
            if run is not None and run.ended:
                Checkpoints(self.results.root, number).drop()

    def _refuse_if_done(self, trial: Trial) -> None:
        """Ray treats an exception of a callback at a run's end as a failure of the run."""
        if self._run(trial).done:
            raise RuntimeError(failure_of(trial).text)

    def _run(self, trial: Trial) -> RunHistory:
        return self._history.run(Assignment.from_dict(trial.config["run"]))

    # -- rows -------------------------------------------------------------------------------

    def plan(self, runs: Iterable[Assignment]) -> None:
        """Logs confirmation runs before they start, and discards partial ones without a score."""
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
            self._discard(run)

    def repair(self) -> None:
        """Brings the records up to date with the log, after a kill between the two."""
        # Listed once for all runs: every request to a store takes time.
        written, left = self.results.parts("trials"), checkpointed(self.results.root)
        for run in self._history.runs.values():
            if not run.ended:
                self._discard(run.assignment)  # it may have been restarted
                self._write_epochs(run)
            elif _part(run.assignment) not in written:
                self._write_end(run)
            elif run.assignment.number in left:
                Checkpoints(self.results.root, run.assignment.number).drop()
        self._rows.close()

    def _discard(self, assignment: Assignment) -> None:
        """Removes the rows of a run that has not ended."""
        self.results.remove("trials", _part(assignment))
        self.results.remove("confusion", _part(assignment))
        if not self._history.runs[assignment.number].results:
            self.results.remove("epochs", _part(assignment))

    def _write_due(self, now: float) -> None:
        for number in [number for number, due in self._due.items() if due <= now]:
            self._write_epochs(self._history.runs[number])

    def _write_epochs(self, run: RunHistory) -> None:
        self._due.pop(run.assignment.number, None)
        id_columns = run.assignment.id_columns()
        rows = [
            {
                **id_columns,
                **{name: result.get(name) for name in _EPOCH_COLUMNS},
                "seconds": result["epoch_seconds"],
                # Older logs have only the maximum of the run so far.
                "peak_memory_mib": result.get(
                    "epoch_peak_memory_mib", result.get("peak_memory_mib")
                ),
                "peak_reserved_mib": result.get("epoch_peak_reserved_mib"),
                "micro_batch": result.get("epoch_micro_batch"),
            }
            for result in run.results
            if result.get("ran")
        ]
        self._append("epochs", rows, run.assignment)

    def _append(self, table: TableName, rows: list[dict[str, Any]], assignment: Assignment) -> None:
        def append() -> None:
            if not self._log.is_lost:  # otherwise another process writes them now
                self.results.append(table, rows, part=_part(assignment))

        self._rows.submit(append)

    def _write_end(self, run: RunHistory) -> None:
        assignment, last = run.assignment, run.last
        self._write_epochs(run)
        if "best_counts" in last:
            counts = np.asarray(last["best_counts"], dtype=np.int64)
            rows = confusion_rows(
                assignment.id_columns(),
                "validation",
                "all",
                last["best_epoch"],
                counts,
                self.classes,
            )
            self._append("confusion", rows, assignment)
        self._append("trials", [self._trial_row(run)], assignment)
        self._rows.submit(Checkpoints(self.results.root, assignment.number).drop)

    def _trial_row(self, run: RunHistory) -> dict[str, Any]:
        assignment, last = run.assignment, run.last
        reason = reason_of(run)
        seconds = float(last.get("seconds", 0.0))
        return {
            **{name: last.get(name) for name in _TRIAL_COLUMNS},
            **assignment.id_columns(),
            **assignment.config.as_dict(),
            "seed": assignment.seed,
            "state": state_of(reason),
            "stop_reason": reason,
            "audit_epoch": run.audited_at,
            "replayed_epochs": run.replayed,
            "epochs": int(last.get("epochs", 0)),
            "seconds": seconds,
            "accelerator_seconds": seconds * self._gpu,
            "cpu_seconds": seconds * self._cpu,
        }


def _part(assignment: Assignment) -> str:
    return f"trial-{assignment.number:06d}"


def error_file(results: Results, assignment: Assignment) -> AnyPath:
    """Where a failed run's traceback is kept."""
    return results.root / "errors" / f"{_part(assignment)}.txt"


def reason_of(run: RunHistory) -> str:
    """Why an ended run ended, as in the ``trials`` table.

    For an audited trial both reasons: that ASHA would have stopped it, and how it ended, such as
    ``asha/completed``.
    """
    failed = "oom" if run.out_of_memory else "error"
    reason = failed if run.failed else run.last.get("stop_reason") or "asha"
    return reason if run.audited_at is None else f"asha/{reason}"


def state_of(reason: str) -> str:
    """The trial state that a stop reason means; ``pruned`` for whatever ASHA would have stopped."""
    if reason.partition("/")[0] == "asha":
        return "pruned"
    return {"completed": "complete", "error": "failed"}.get(reason, reason)
