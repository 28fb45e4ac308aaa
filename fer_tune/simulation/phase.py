"""One phase of a search under virtual time: its runs on the slots of a fleet."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from fer_tune.errors import UserError
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.runs import SimulatedRun

#: Losses in a row without a new checkpoint after which a run is taken never to end.
MOST_LOSSES = 1_000


class Source(Protocol):
    """Where a phase has its runs from, and who decides on them."""

    def ask(self, now: float) -> SimulatedRun | None:
        """The next run, at virtual time ``now`` (seconds); None if there is none as yet, or ever.

        It is asked again after every event; where no run is live, None is final.
        """
        ...

    def report(self, run: SimulatedRun) -> bool:
        """Enters the next epoch of a run; whether it ends."""
        ...


@dataclass(kw_only=True)
class _Placed:
    """A run on a GPU.

    Attributes:
        since: when its current epoch, or its start, began.
        restored: epochs of the checkpoint that it continued from.
        saved, saved_at: epochs of its last checkpoint, and when that was written.
    """

    run: SimulatedRun
    gpu: int
    since: float
    restored: int
    saved: int
    saved_at: float


class Phase:
    """Runs of a source, to their ends.

    As in a real search, some runs are asked for ahead of time and pending, first in, first out; a
    run that lost its machine goes behind them.

    Args:
        asked: runs that are pending or running at the same time.
        draws: of the losses.
        now: virtual time of the beginning, in seconds.
        waits: whether the fleet has to come first.

    Raises:
        UserError: from :meth:`play`, if machines are lost so often that a run cannot end.
    """

    def __init__(
        self,
        source: Source,
        fleet: Fleet,
        *,
        asked: int,
        draws: np.random.Generator,
        now: float = 0.0,
        waits: bool = True,
    ) -> None:
        self._source, self._fleet, self._asked, self._draws = source, fleet, asked, draws
        self.now = now
        self.runs: list[SimulatedRun] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._pending: deque[tuple[SimulatedRun, int]] = deque()  # with the epochs of a checkpoint
        self._free: deque[int] = deque()  # GPUs, each as often as it has slots
        self._placed: dict[int, list[_Placed]] = {gpu: [] for gpu in range(fleet.gpus)}
        self._fruitless: Counter[int] = Counter()  # losses in a row, by number of the run
        self._came: dict[int, float] = {}  # GPUs that are there, and since when
        self._lives_s = 0.0
        self._live = 0
        delay = fleet.autoscale_delay_s if waits else 0.0
        for gpu in range(fleet.gpus):
            self._after(delay, partial(self._come, gpu))

    def play(self) -> None:
        """To the end of the last run; between two events runs are asked for, as Ray's steps do."""
        while True:
            self._fill()
            if not self._live:
                return
            self.now, _, happen = heapq.heappop(self._events)
            happen()

    @property
    def gpu_s(self) -> float:
        """Seconds for which GPUs were there, over all of them, used or not."""
        return self._lives_s + sum(self.now - since for since in self._came.values())

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        if math.isfinite(seconds):
            heapq.heappush(self._events, (self.now + seconds, next(self._order), happen))

    # -- machines ---------------------------------------------------------------------------

    def _come(self, gpu: int) -> None:
        self._free.extend([gpu] * self._fleet.runs_per_gpu)
        self._came[gpu] = self.now
        self._after(self._fleet.life_s(self._draws), partial(self._lose, gpu))

    def _lose(self, gpu: int) -> None:
        self._lives_s += self.now - self._came.pop(gpu)
        for placed in self._placed[gpu]:
            placed.run.busy_s += self.now - placed.since
            placed.run.losses += 1
            self._check_progress(placed)
            self._pending.append((placed.run, placed.saved))
        self._placed[gpu] = []
        self._free = deque(other for other in self._free if other != gpu)
        self._after(self._fleet.autoscale_delay_s, partial(self._come, gpu))

    def _check_progress(self, placed: _Placed) -> None:
        number = placed.run.assignment.number
        fruitless = placed.saved == placed.restored
        self._fruitless[number] = self._fruitless[number] + 1 if fruitless else 0
        if self._fruitless[number] >= MOST_LOSSES:
            raise UserError(
                f"a run lost its machine {MOST_LOSSES:,} times before its next checkpoint, so that "
                "the search would never end",
                where="losses per GPU and hour",
                value=self._fleet.spot_loss,
                remedy="An epoch and the start of a run must be shorter than a machine's life: "
                "lower --spot-loss",
            )

    # -- runs -------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Asks for runs, and places those that are pending."""
        while self._live < self._asked:
            run = self._source.ask(self.now)
            if run is None:
                break
            self.runs.append(run)
            self._live += 1
            self._pending.append((run, 0))
        while self._free and self._pending:
            self._place(*self._pending.popleft(), self._free.popleft())

    def _place(self, run: SimulatedRun, saved: int, gpu: int) -> None:
        if math.isnan(run.began):
            run.began = self.now
        run.trained = saved
        placed = _Placed(
            run=run, gpu=gpu, since=self.now, restored=saved, saved=saved, saved_at=self.now
        )
        self._placed[gpu].append(placed)
        self._train(placed, run.course.setup_s)

    def _train(self, placed: _Placed, extra: float = 0.0) -> None:
        seconds = placed.run.course.seconds
        epoch = float(seconds[min(placed.run.trained, len(seconds) - 1)])
        self._after(extra + epoch, partial(self._end_epoch, placed))

    def _end_epoch(self, placed: _Placed) -> None:
        if not any(placed is other for other in self._placed[placed.gpu]):
            return  # its machine was lost meanwhile
        run = placed.run
        run.busy_s += self.now - placed.since
        placed.since = self.now
        # An epoch that is trained again after a loss was reported before.
        ends = run.trained >= run.epochs and self._source.report(run)
        run.trained += 1
        if self.now - placed.saved_at >= self._fleet.checkpoint_interval_s:
            placed.saved, placed.saved_at = run.trained, self.now
        if not ends:
            self._train(placed)
            return
        run.ended = self.now
        self._live -= 1
        self._placed[placed.gpu] = [o for o in self._placed[placed.gpu] if o is not placed]
        self._free.append(placed.gpu)
