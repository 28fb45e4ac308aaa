"""Which node is to blame, and how a search goes on without it."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path
from typing import Any

import pytest

from fer_tune.errors import EnvironmentFault
from fer_tune.training.course import EpochReport
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.nodes import NodeHealth
from fer_tune.tuning.recorded import RecordedRun, Recording
from fer_tune.tuning.settings import WorkerSettings
from tests.tuning.apart import apart
from tests.tuning.conftest import make_space
from tests.tuning.recorded_stage import play_runs

A, B = "a", "b"


def health(*events: tuple[str, int | None]) -> NodeHealth:
    """``(node, trial)`` of failures in turn; with None instead, an epoch reported there."""
    found = NodeHealth()
    for node, trial in events:
        if trial is None:
            found.reported(node)
        else:
            found.failed(node, trial)
    return found


@pytest.mark.parametrize(
    ("events", "is_ill"),
    [
        ([(A, 1)], False),
        ([(A, 1), (A, 2)], True),
        ([(A, 1), (A, 1)], True),  # where nothing has worked, one trial is enough
        ([(A, None), (A, 1), (A, 1)], False),
        ([(A, None), (A, 1), (A, 2)], True),
        ([(A, 1), (A, None), (A, 2)], False),  # not in a row
        ([(B, None), (A, 1), (A, 2), (B, 1)], False),  # trial 1 fails where others work
        ([(B, None), (A, 1), (A, 2), (A, 3), (B, 1)], True),
        ([(A, 1), (A, 2), (B, 1), (B, 2)], True),  # nothing has worked anywhere
        ([(B, 1), (B, 2)], False),
    ],
)
def test_a_node_is_ill_when_trials_fail_there_alone(
    events: list[tuple[str, int | None]], is_ill: bool
) -> None:
    assert health(*events).is_ill(A) is is_ill


def test_the_last_node_that_ever_worked_is_given_up_late() -> None:
    found = health((A, None), (A, 1), (A, 2), (A, 1), (A, 2), (A, 3))
    assert found.is_ill(A) and not found.is_ill(A, last=True)
    found.failed(A, 3)
    assert found.is_ill(A, last=True)
    assert health((A, 1), (A, 2)).is_ill(A, last=True), "nothing has ever worked there"


# -- on a cluster -------------------------------------------------------------------------------


class AilingRun(RecordedRun):
    """Fails on nodes that bear the mark of an ill one: raises, or takes its process with it.

    Elsewhere it waits with its second epoch until two have failed: a process takes longer to
    start than all recordings to be played, and so the ill node might never have its turn.
    """

    def __init__(self, notes: Path, settings: WorkerSettings, assignment: Assignment) -> None:
        super().__init__(play, settings, assignment)
        self._number, self._notes = assignment.number, notes

    def run_epoch(self) -> EpochReport | None:
        if os.environ.get("ILL") == "1":
            with self._notes.open("a") as out:
                out.write(f"{self._number}\n")
            if self._number % 2:
                os._exit(1)
            raise RuntimeError("this accelerator has fallen off the bus")
        deadline = time.monotonic() + 150
        while self.course.epoch == 1 and len(self._notes.read_text().split()) < 2:
            assert time.monotonic() < deadline, "nobody else fails"
            time.sleep(0.1)
        return super().run_epoch()


def play(run: Assignment) -> Recording:
    return Recording(values=[0.1, 0.2, 0.3])


def searched(folder: Path, ill: tuple[str, ...]) -> dict[str, Any]:
    """Twelve runs on a head without CPUs and a node per entry of ``ill``; "1" marks ill ones."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from ray.cluster_utils import Cluster
    from rich.console import Console

    from fer_tune.tuning import placement
    from fer_tune.tuning.engine import ray_session
    from fer_tune.tuning.logs import log_file
    from fer_tune.tuning.options import SearchOptions

    placement.GRACE_S = placement.LOOK_S = 2.0
    folder.mkdir(exist_ok=True)
    notes = folder / "failures.txt"
    notes.write_text("")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    found: dict[str, Any] = {"error": None}
    try:
        nodes = [cluster.add_node(num_cpus=1, env_vars={"ILL": mark}).node_id for mark in ill]
        found["ill"] = [node[:8] for node, mark in zip(nodes, ill, strict=True) if mark == "1"]
        with (
            ray_session(SearchOptions(address=cluster.address)),
            (folder / "console.txt").open("w") as out,
            log_file(folder),
        ):
            try:
                play_runs(
                    make_space(budget={"trials": 12, "max_epochs": 3}),
                    folder / "r",
                    12,
                    functools.partial(AilingRun, notes),
                    asked=4,
                    callbacks=[],
                    console=Console(file=out, width=300),
                )
            except EnvironmentFault as error:
                found["error"] = str(error)
    finally:
        cluster.shutdown()
    from fer_tune.records import Results

    found["trials"] = Results(folder / "r").read("trials")[["trial", "state"]].values.tolist()
    found["console"] = (folder / "console.txt").read_text()
    found["log"] = (folder / "search.log").read_text()
    return found


@pytest.mark.ray
@pytest.mark.slow
def test_trials_go_elsewhere_than_to_an_ill_node(tmp_path: Path) -> None:
    found = apart(searched, tmp_path / "s", ("0", "1"))
    assert found["error"] is None
    assert found["trials"] == [[number, "complete"] for number in range(12)]
    (ill,) = found["ill"]
    for text in (found["console"], found["log"]):
        assert f"({ill}), the last with: " in text and "It is avoided for now." in text
    failures = found["log"].count("failed and begins again")
    assert 2 <= failures <= 6, "those that were placed there before, and no more"


@pytest.mark.ray
@pytest.mark.slow
def test_a_search_without_a_sound_node_ends_and_says_so(tmp_path: Path) -> None:
    found = apart(searched, tmp_path / "s", ("1", "1"))
    assert "no machine is left to run trials on: they keep failing on" in found["error"]
    assert all(ill in found["error"] for ill in found["ill"])
    assert len(found["trials"]) < 12, "the budget is not burnt"
