"""What a search may spend, and what of it is reserved for confirmation.

Budgets of wall time, accelerator hours and money include confirmation. Trials are asked for while
a whole round of them, one per study, fits beside what confirmation will take. Time of a trial: the
90 % quantile of those that ended; all of its epochs until twice as many as there are slots have
ended, since the first to end are the short ones. Time of a confirmation run: all of
its epochs at the 90 % quantile of its arm's epochs. Its first views have features of their own, so
epochs that read those go by epochs that computed theirs. Before an epoch has been recorded, its
share of the budget is that of its epochs among those that the plan expects, which is more than its
share among those that may be run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_tune.space import SearchSpace
from fer_tune.space import plan as make_plan
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog

logger = logging.getLogger(__name__)

#: Quantile of recorded times that is taken for those to come.
CAREFUL = 0.9
#: Change of the reserved time from which it is logged again.
NEWS = 0.2
#: Growth of the number of reports from which it is estimated again.
FRESH = 1.01


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """What confirmation is expected to take.

    Attributes:
        seconds: from its beginning to its end.
        accelerator_hours: that its runs hold; a run without a GPU counts as holding one.
        is_measured: from recorded epochs; otherwise a share of the budget.
    """

    seconds: float
    accelerator_hours: float
    is_measured: bool


class Allowance:
    """The budget of one search, with what it has spent and what is reserved.

    Args:
        log: its clock is the time spent, without confirmation.
        slots: runs at a time.
    """

    def __init__(self, space: SearchSpace, log: EventLog, *, slots: int) -> None:
        self._space, self._log, self._slots = space, log, max(1, slots)
        self._plan = make_plan(space)
        self._share = space.resources.gpu or 1.0
        self._epochs: dict[tuple[str, bool], list[float]] = {}  # by arm, and whether computed
        self._setups: list[float] = []
        self._held: dict[int, float] = {}  # seconds by number of the run
        self._ended: list[float] = []
        self._running: set[int] = set()  # or pending
        self._entered = 0
        self._estimate: tuple[int, Reserved] | None = None  # and reports entered before it
        self._logged: Reserved | None = None

    @property
    def is_limited(self) -> bool:
        """Whether anything limits the search besides its number of trials."""
        return self._space.budget.wall_time is not None or math.isfinite(self._hours)

    @property
    def _hours(self) -> float:
        return self._space.budget.hours

    # -- what is known ------------------------------------------------------------------------

    def begin(self, run: Assignment) -> None:
        """Enters that a trial has been asked for."""
        self._running.add(run.number)

    def enter(self, run: Assignment, result: dict[str, Any]) -> None:
        """Enters a report of a trial, or of a confirmation run before an extension."""
        self._entered += 1
        if result.get("ran") and result.get("epoch_seconds"):
            computed = bool(result.get("bank_misses"))
            self._epochs.setdefault((run.arm, computed), []).append(result["epoch_seconds"])
        setup = max(0.0, result.get("setup_seconds") or 0.0)
        if run.number not in self._held:
            self._setups.append(setup)
        held = (result.get("seconds") or 0.0) + setup
        # It falls where epochs are replayed.
        self._held[run.number] = max(self._held.get(run.number, 0.0), held)

    def end(self, run: Assignment) -> None:
        """Enters that a trial has ended."""
        self._running.discard(run.number)
        if self._held.get(run.number):
            self._ended.append(self._held[run.number])

    # -- what is reserved ---------------------------------------------------------------------

    def reserved(self) -> Reserved:
        """What confirmation is expected to take, of all choices and seeds."""
        at, known = self._estimate or (0, None)
        # Of many epochs a few more change nothing.
        if known is None or self._entered >= FRESH * at:
            known = self._reserved()
            self._estimate = (self._entered, known)
        return known

    def _reserved(self) -> Reserved:
        if not self._plan.confirm_runs:
            return Reserved(seconds=0.0, accelerator_hours=0.0, is_measured=True)
        if not self._epochs:
            share = self._plan.confirm_share
            limit = self._space.budget.wall_time or math.inf
            hours = share * self._hours if math.isfinite(self._hours) else 0.0
            seconds = share * limit if math.isfinite(limit) else 0.0
            return Reserved(seconds=seconds, accelerator_hours=hours, is_measured=False)
        each = [self._run_s(arm) for arm in self._space.compare.arms]  # all have as many runs
        total = self._plan.confirm_runs * float(np.mean(each))
        # Graham's bound for runs that start as soon as a slot is free, the longest last.
        seconds = total / self._slots + (1 - 1 / self._slots) * max(each)
        hours = self._share * total / 3600
        return Reserved(seconds=seconds, accelerator_hours=hours, is_measured=True)

    def _run_s(self, arm: str) -> float:
        """Seconds of one run of an arm to its last epoch."""
        # An arm without epochs goes by the slowest.
        known = [arm] if self._paces(arm) else self._space.compare.arms
        first, later = max(paces for name in known if (paces := self._paces(name)))
        views, epochs = self._space.augment.views, self._space.budget.max_epochs
        computing = epochs if views == "fresh" else min(int(views), epochs)
        return _careful(self._setups) + computing * first + (epochs - computing) * later

    def _paces(self, arm: str) -> tuple[float, ...]:
        """Seconds of an epoch that computes its features, and of one that reads them."""
        computed, read = (self._epochs.get((arm, kind), []) for kind in (True, False))
        if not computed and not read:
            return ()
        return _careful(computed or read), _careful(read or computed)

    # -- what is left -------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """Trials that have been asked for and have not ended."""
        return len(self._running)

    def is_unknown(self, more: int) -> bool:
        """Whether ``more`` trials have to wait for the first epoch, which shows what they take.

        Those that run at the same time as a first round do not lengthen the search, but they hold
        accelerators.
        """
        at_once = self._slots if math.isinf(self._hours) else 0
        return not self._epochs and self.running + more > max(at_once, more)

    def short(self, more: int) -> dict[str, float]:
        """Limits of the budget that ``more`` trials, after those that run, would exceed.

        Returns:
            By key, the value that would do, in the unit of the key.
        """
        budget, reserved = self._space.budget, self.reserved()
        each = self._trial_s() if self._epochs else 0.0
        lacking = sum(max(0.0, each - self._held.get(number, 0.0)) for number in self._running)
        held = self._share * (sum(self._held.values()) + lacking + more * each) / 3600
        hours = held + reserved.accelerator_hours
        rounds = math.ceil((self.running + more) / self._slots)
        needed = {
            "wall_time": self._log.spent() + rounds * each + reserved.seconds,
            "accelerator_hours": hours,
            "money": hours * (budget.price_per_hour or 0.0),
        }
        limits = {key: getattr(budget, key) for key in needed}
        return {k: v for k, v in needed.items() if limits[k] is not None and v > limits[k]}

    def _trial_s(self) -> float:
        if len(self._ended) >= 2 * self._slots:
            return _careful(self._ended)
        return max(self._run_s(arm) for arm in self._space.compare.arms)

    # -- what is said -------------------------------------------------------------------------

    def note(self) -> None:
        """Logs what is reserved, where that is news."""
        now, before = self.reserved(), self._logged
        if not self.is_limited or (before is not None and not _is_news(before, now)):
            return
        self._logged = now
        self._log.append("reserved", **vars(now))
        logger.info("%s", self.words())

    def words(self) -> str:
        """What is reserved for confirmation, for people."""
        reserved, parts = self.reserved(), []
        if self._space.budget.wall_time is not None:
            parts.append(f"{reserved.seconds / 60:.1f} min of {self._minutes:.0f}")
        if math.isfinite(self._hours):
            parts.append(f"{reserved.accelerator_hours:.2f} accelerator-hours of {self._hours:.2f}")
        source = "from recorded epochs" if reserved.is_measured else "by the plan"
        return f"reserved for confirmation: {', '.join(parts)} ({source})"

    @property
    def _minutes(self) -> float:
        return (self._space.budget.wall_time or 0.0) / 60


def _careful(values: Sequence[float]) -> float:
    return float(np.quantile(values, CAREFUL)) if values else 0.0


def _is_news(before: Reserved, now: Reserved) -> bool:
    if before.is_measured != now.is_measured:
        return True
    pairs = (
        (before.seconds, now.seconds),
        (before.accelerator_hours, now.accelerator_hours),
    )
    return any(abs(b - a) > NEWS * max(a, b) for a, b in pairs)
