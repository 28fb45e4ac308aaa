"""Several simulated searches, in processes of their own where that is faster."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import resource_tracker

from joblib.externals.loky.process_executor import BrokenProcessPool

from fer_tune.process.cpus import available_cpus
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.simulation.world import World
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import derive_seed

logger = logging.getLogger(__name__)

#: Least expected seconds of work for which processes are started, in all and for each: each spends
#: seconds on imports.
WORTH_S, WORTH_OF_EACH_S = 15.0, 5.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """A search to simulate.

    Attributes:
        world: of a seed; pickled by value for other processes.
        seed: of the first search of its list. number: place in the list, from 0.
    """

    space: SearchSpace
    world: Callable[[int], World]
    fleet: Fleet
    seed: int
    number: int

    def __call__(self) -> SimulatedSearch:
        """Simulates it; all of it follows from ``seed`` and ``number``."""
        search = derive_seed(self.seed, "simulated", self.number)
        seeds = self.space.seeds.model_copy(update={"search": search})
        own = self.space.model_copy(update={"seeds": seeds})
        world = self.world(derive_seed(self.seed, "world", self.number))
        return simulate(own, world, self.fleet, seed=self.seed + self.number)


def jobs(
    space: SearchSpace, world: Callable[[int], World], fleet: Fleet, *, runs: int, seed: int = 0
) -> list[Job]:
    """Simulated searches of one space, with seeds of their own.

    Args:
        world: of a seed.
        runs: how many.
    """
    return [
        Job(space=space, world=world, fleet=fleet, seed=seed, number=number)
        for number in range(runs)
    ]


class Simulator:
    """Simulates searches; long lists of them in several processes.

    The first search runs in this process. Its time predicts that of the others.

    Args:
        processes: at most; by default, the CPUs that this process may use.
        on_end: called after each search, with their number so far.
    """

    def __init__(
        self, processes: int | None = None, on_end: Callable[[int], None] | None = None
    ) -> None:
        self._processes = available_cpus() if processes is None else processes
        self._on_end = on_end
        self._ended = 0
        self._seconds_per_trial: float | None = None

    def run(self, todo: Iterable[Job]) -> list[SimulatedSearch]:
        """The searches, in the order of the jobs, whatever the number of processes.

        Raises:
            UserError: machines are lost so often that a search cannot end.
        """
        left = list(todo)
        found = []
        if left and self._seconds_per_trial is None:
            found.append(self._timed(left.pop(0)))
        for search in self._ahead(left):
            self._count()
            found.append(search)
        return found

    def _ahead(self, left: Sequence[Job]) -> Iterator[SimulatedSearch]:
        trials = sum(job.space.budget.trials for job in left)
        seconds = trials * (self._seconds_per_trial or 0.0)
        processes = min(self._processes, len(left), int(seconds / WORTH_OF_EACH_S))
        ended = 0
        if processes > 1 and seconds >= WORTH_S:
            try:
                for search in _in_processes(processes, left):
                    yield search
                    ended += 1
            except BrokenProcessPool:  # such as by a lack of memory
                logger.warning("A process that simulates was killed; simulating in this one")
                self._processes = 1  # the next would be killed, too
        yield from (job() for job in left[ended:])

    def _timed(self, job: Job) -> SimulatedSearch:
        began = time.monotonic()
        search = job()
        self._seconds_per_trial = (time.monotonic() - began) / job.space.budget.trials
        self._count()
        return search

    def _count(self) -> None:
        self._ended += 1
        if self._on_end is not None:
            self._on_end(self._ended)


def _in_processes(processes: int, todo: Sequence[Job]) -> Iterator[SimulatedSearch]:
    from joblib import Parallel, delayed

    # One at a time: searches differ by a factor of ten in length. None waits beside its process,
    # as each carries its world.
    parallel = Parallel(
        n_jobs=processes, return_as="generator", batch_size=1, pre_dispatch="n_jobs"
    )
    with _unheard():
        found = parallel(delayed(_simulated)(job, os.getpid()) for job in todo)
    yield from found


def _simulated(job: Job, parent: int) -> SimulatedSearch:
    if os.getpid() != parent:  # joblib has none where the system lacks what it needs
        _obey(parent)
    return job()


@cache
def _obey(parent: int) -> None:
    """Ends this process with ``parent``, and with nothing else.

    joblib's would wait for more work for ever. One that Ctrl-C ends within a message leaves the
    parent waiting for the rest of it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


@contextmanager
def _unheard() -> Iterator[None]:
    """Processes that are started inside do not hear Ctrl-C, which this process handles for them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Before Python 3.12 its start unblocks the signal, and it starts with the first process.
    resource_tracker.ensure_running()
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
