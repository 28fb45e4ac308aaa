"""Simulated searches in several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_records import fitted, make_space, tables

from benchmarks.processes import descendants, title
from fer_tune.errors import UserError
from fer_tune.simulation import running
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.running import Job, Simulator, jobs
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.simulation.world import World

ROOT = Path(__file__).resolve().parents[2]
PATHS = os.pathsep.join((str(ROOT), str(ROOT / "tests/simulation")))


def todo(runs: int, spot_loss: float = 0.0, *, of_records: bool = False) -> list[Job]:
    space = make_space()
    fleet = Fleet.of(space, 3, spot_loss=spot_loss)
    # A function of the test, which no other process can import: commands have such, too.
    world: Callable[[int], World] = lambda seed: AnalyticWorld(space=space, seed=seed)  # noqa: E731
    if of_records:
        world = fitted(space, space, tables(simulate(space, world(7), fleet))).reseeded
    return jobs(space, world, fleet, runs=runs)


@pytest.fixture
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "WORTH_S", 0.0)
    monkeypatch.setattr(running, "WORTH_OF_EACH_S", 1e-6)


@pytest.mark.parametrize("of_records", [False, True])
def test_processes_change_nothing_of_the_figures(worth_it: None, of_records: bool) -> None:
    counted: list[int] = []
    alone = Simulator(1).run(todo(4, of_records=of_records))
    beside = Simulator(2, on_end=counted.append).run(todo(4, of_records=of_records))
    assert counted == [1, 2, 3, 4]
    assert len({search.seconds for search in alone}) == 4
    assert [search.seconds for search in beside] == [search.seconds for search in alone]
    assert [r.test for s in beside for r in s.runs] == [r.test for s in alone for r in s.runs]


@dataclass(frozen=True, kw_only=True)
class Noted(Job):
    """Ends with the id of its process."""

    def __call__(self) -> int:  # type: ignore[override]
        super().__call__()
        return os.getpid()


def noted(runs: int) -> list[Noted]:
    return [Noted(**vars(job)) for job in todo(runs)]


def test_only_long_lists_leave_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()
    assert set(Simulator(2).run(noted(3))) == {here}
    monkeypatch.setattr(running, "WORTH_S", 0.0)
    monkeypatch.setattr(running, "WORTH_OF_EACH_S", 1e-6)
    simulator = Simulator(2)
    first, *rest = simulator.run(noted(3))
    assert first == here and here not in rest
    assert here not in simulator.run(noted(2))  # how long one takes is known by then
    assert set(Simulator(1).run(noted(3))) == {here}


def test_an_error_in_another_process_is_the_same_error(worth_it: None) -> None:
    """Machines are lost before any run can end; the first search of the list is a good one."""
    with pytest.raises(UserError, match="lost its machine") as found:
        Simulator(2).run([*todo(1), *todo(2, spot_loss=1e6)])
    assert found.value.where == "losses per GPU and hour" and found.value.value == 1e6


@dataclass(frozen=True, kw_only=True)
class Killed(Job):
    """Ends its process, unless that is the one of the test."""

    here: int

    def __call__(self) -> SimulatedSearch:
        if os.getpid() != self.here:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__()


def test_a_process_that_is_killed_is_done_without(
    worth_it: None, caplog: pytest.LogCaptureFixture
) -> None:
    """As by the system, where memory is short."""
    killed: list[Job] = [Killed(**vars(job), here=os.getpid()) for job in todo(4)]
    simulator = Simulator(2)
    for _ in range(2):
        found = simulator.run(killed)
        assert [search.seconds for search in found] == [job().seconds for job in todo(4)]
    assert caplog.text.count("was killed") == 1, "the second list is not given to others"


WITHOUT_PROCESSES = """
import os
from fer_tune.simulation import running
from tests.simulation.test_running import noted
running.WORTH_S, running.WORTH_OF_EACH_S = 0.0, 1e-6
print(set(running.Simulator(2).run(noted(3))) == {os.getpid()})
"""


def test_where_there_can_be_no_processes_this_one_simulates() -> None:
    """joblib then calls in this process what was meant for others, which end with their parent."""
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_PROCESSES],
        env={**os.environ, "PYTHONPATH": PATHS, "JOBLIB_MULTIPROCESSING": "0"},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr


@dataclass(frozen=True, kw_only=True)
class Interrupted(Noted):
    """Hears Ctrl-C in its process, unless that is the one of the test."""

    here: int

    def __call__(self) -> int:  # type: ignore[override]
        if os.getpid() != self.here:
            os.kill(os.getpid(), signal.SIGINT)
        return super().__call__()


def test_ctrl_c_is_for_the_process_that_started_the_others(worth_it: None) -> None:
    here = os.getpid()
    found = Simulator(2).run(Interrupted(**vars(job), here=here) for job in todo(4))
    assert found[0] == here and here not in found[1:]


PARENT = """
import sys
from fer_tune.simulation import running
from tests.simulation.test_running import todo
running.WORTH_S, running.WORTH_OF_EACH_S = 0.0, 1e-6
running.Simulator(2, on_end=lambda ended: print(ended, flush=True)).run(todo(400))
"""


@pytest.mark.parametrize(
    ("number", "ended", "later"),
    [
        (signal.SIGKILL, 8, 0.0),
        (signal.SIGINT, 8, 0.0),
        (signal.SIGINT, 1, 0.3),  # while the others start
        (signal.SIGINT, 1, 0.6),
    ],
)
def test_no_process_outlives_the_one_that_started_it(
    number: signal.Signals, ended: int, later: float
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": PATHS},
    )
    assert process.stdout is not None
    while process.stdout.readline() != f"{ended}\n":
        assert process.poll() is None
    while len(workers := descendants(process.pid)) < 2:
        assert process.poll() is None
    time.sleep(later)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert errors.count("Traceback") == (1 if number == signal.SIGINT else 0), errors
    deadline = time.monotonic() + 30
    while any("loky" in title(pid) for pid in workers):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.1)
