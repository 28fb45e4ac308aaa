"""What is known of one run of a search: what it was told to do, and what it has reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fer_tune.tuning.assignment import Assignment, Cohort


@dataclass(kw_only=True)
class RunHistory:
    """What is known of one trial or confirmation run.

    Attributes:
        planned: the cohort of its study that it used up (it may have been proposed by another).
        results: one per epoch reported, in order.
        done: ended by itself or by ASHA. failed: ended with an error.
        audited_at: the epoch at which ASHA would have stopped it; it ran on (see ``audit.py``).
    """

    assignment: Assignment
    planned: Cohort
    results: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False
    failed: bool = False
    audited_at: int | None = None

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

    def take(self, result: dict[str, Any], *, done: bool) -> bool:
        """Adds a report; False if it tells nothing new: a restarted run repeats its last."""
        if self.ended:
            return False
        repeated = result["ran"] and result["epoch"] <= self.epochs
        if not repeated:
            self.results.append(result)
        self.done = done
        return done or not repeated
