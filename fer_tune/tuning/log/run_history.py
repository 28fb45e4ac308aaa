"""The history of one run of a search: its assignment and its reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fer_tune.tuning.log.assignment import Assignment, Cohort

#: What an end adds to the last reported epoch, besides test scores: :meth:`RunHistory.as_end`.
_OF_THE_END = (
    "stop_reason",
    "oom_had_share",
    "started",
    "setup_seconds",
    "seconds",
    "node",
    "latency",
)

#: Values of a report that depend on data, seeds and configuration alone, not on the moment.
_COMPARED = (
    "train_loss",
    "train_accuracy",
    "train_macro_f1",
    "val_loss",
    "val_accuracy",
    "val_macro_f1",
    "lr_head",
    "lr_backbone",
    "score",
    "best_epoch",
    "onset_epoch",
    "best_counts",
)


@dataclass(kw_only=True)
class RunHistory:
    """The history of one trial or confirmation run.

    Attributes:
        planned: the planned cohort that it used up (another cohort may have proposed it).
        results: one per epoch reported, in order.
        done: ended by itself or by ASHA. failed: ended with an error.
        out_of_memory: the error was that its process was killed for want of memory.
        audited_at: the epoch at which ASHA would have stopped it; it continued, see
            ``studies/regret_audit.py``.
        replayed: epochs that were trained again after they had been reported.
    """

    assignment: Assignment
    planned: Cohort
    results: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False
    failed: bool = False
    out_of_memory: bool = False
    audited_at: int | None = None
    replayed: int = 0

    @property
    def ended(self) -> bool:
        return self.done or self.failed

    @property
    def epochs(self) -> int:
        """The last epoch reported, 0 before the first."""
        return int(self.results[-1]["epoch"]) if self.results else 0

    @property
    def last(self) -> dict[str, Any]:
        return self.results[-1] if self.results else {}

    def reported(self, epoch: int) -> dict[str, Any] | None:
        """The report of an epoch; None before it was reported."""
        # From the end: it is one of the last, after a kill.
        return next((r for r in reversed(self.results) if r["epoch"] == epoch and r["ran"]), None)

    def add_result(self, result: dict[str, Any], *, done: bool) -> bool:
        """Adds a report; False if it is not new: a restarted run repeats some.

        It continues from a checkpoint, which may be older than its last report.
        """
        if self.ended:
            return False
        repeated = result["ran"] and result["epoch"] <= self.epochs
        if not repeated:
            self.results.append(result)
        self.done = done
        return done or not repeated

    def as_end(self, result: dict[str, Any]) -> dict[str, Any]:
        """A last report, as one of the last reported epoch.

        Where arithmetic is not deterministic, a run that is trained again may end before the
        epoch that it had reached: with another reason, and the curve that was reported.
        """
        behind = result["epoch"] < self.epochs or (result["ran"] and result["epoch"] == self.epochs)
        if not behind or self.ended:
            return result
        own = {n: v for n, v in result.items() if n in _OF_THE_END or n.startswith("test_")}
        return {**self.last, **own, "ran": False}


def differences(first: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """Every compared value that differs, as ``name: first → again``.

    NaN equals NaN. A value that either report lacks, as in logs of earlier versions, is skipped.
    """
    return [
        f"{name}: {first[name]} → {again[name]}"
        for name in _COMPARED
        if name in first and name in again and not _same(first[name], again[name])
    ]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))
