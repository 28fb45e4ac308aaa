"""The callback that writes records, and remembers what Ray forgets: the scheduler's rungs."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyarrow.fs import FileSelector
from ray.tune import Callback
from ray.tune.experiment import Trial

from fer_tune.records import SCHEMAS, Results
from fer_tune.tuning.asha import StudyAsha
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.confirmation import confusion_rows

_EPOCH_COLUMNS = [
    c for c in SCHEMAS["epochs"].names if c not in ("trial", "arm", "replicate", "cohort")
]
_TRIAL_COLUMNS = SCHEMAS["trials"].names


class Recorder(Callback):
    """Writes a row per epoch and a row per ended trial, on the driver alone.

    Args:
        scheduler: whose rungs go into Ray's snapshot with this callback's state; None when the
            scheduler has none.
        gpu, cpu: share of an accelerator and CPUs that a trial holds, for the cost columns.
    """

    def __init__(
        self,
        results: Results,
        *,
        classes: tuple[str, ...],
        gpu: float,
        cpu: float,
        scheduler: StudyAsha | None = None,
    ) -> None:
        self.results, self.classes = results, classes
        self._gpu, self._cpu = gpu, cpu
        self._scheduler = scheduler
        self.latencies: dict[str, list[dict[str, float]]] = {}

    # -- Ray's hooks ------------------------------------------------------------------------

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        if result.get("ran"):
            who = Assignment.from_dict(trial.config["run"]).who()
            row = {name: result.get(name) for name in _EPOCH_COLUMNS}
            row["seconds"] = result["epoch_seconds"]
            self.results.append("epochs", [{**who, **row}])

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._ended(trial, failed=False)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._ended(trial, failed=True)

    def get_state(self) -> dict[str, Any]:
        rungs = self._scheduler.rungs() if self._scheduler else {}
        return {"rungs": rungs, "latencies": self.latencies}

    def set_state(self, state: dict[str, Any]) -> None:
        self.latencies = state["latencies"]
        if self._scheduler:
            self._scheduler.set_rungs(state["rungs"])

    # -- rows -------------------------------------------------------------------------------

    def _ended(self, trial: Trial, *, failed: bool) -> None:
        assignment = Assignment.from_dict(trial.config["run"])
        result = trial.last_result or {}
        self.results.append("trials", [self._trial_row(assignment, result, failed)])
        if "best_counts" in result:
            counts = np.asarray(result["best_counts"], dtype=np.int64)
            rows = confusion_rows(
                assignment.who(),
                "validation",
                "all",
                result["best_epoch"],
                counts,
                self.classes,
            )
            self.results.append("confusion", rows)
        if "latency" in result:
            self.latencies.setdefault(assignment.arm, []).append(result["latency"])
        drop_checkpoints(trial)

    def _trial_row(
        self, assignment: Assignment, result: dict[str, Any], failed: bool
    ) -> dict[str, Any]:
        reason = "error" if failed else result.get("stop_reason") or "asha"
        seconds = float(result.get("seconds", 0.0))
        return {
            **{name: result.get(name) for name in _TRIAL_COLUMNS},
            **assignment.who(),
            **assignment.config.as_dict(),
            "seed": assignment.seed,
            "state": state_of(reason),
            "stop_reason": reason,
            "epochs": int(result.get("epochs", 0)),
            "seconds": seconds,
            "accelerator_seconds": seconds * self._gpu,
            "cpu_seconds": seconds * self._cpu,
        }


def state_of(reason: str) -> str:
    """The trial state that a stop reason means."""
    return {"completed": "complete", "asha": "pruned", "error": "failed"}.get(reason, reason)


def drop_checkpoints(trial: Trial) -> None:
    """Removes an ended trial's checkpoints: nobody goes on from them, and tails are large."""
    storage = trial.storage
    if storage is None:
        return
    files = storage.storage_filesystem
    everything = FileSelector(storage.trial_fs_path, allow_not_found=True)
    for entry in files.get_file_info(everything):
        if entry.base_name.startswith("checkpoint_"):
            files.delete_dir(entry.path)
