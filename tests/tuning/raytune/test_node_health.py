"""Which node is unhealthy, and how a search continues without it."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path
from typing import Any

import pytest

from fer_tune.errors import EnvironmentFault
from fer_tune.training.learning_curve import EpochReport
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune.node_health import NodeHealth
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun
from fer_tune.tuning.settings import WorkerSettings
from tests.lean_ray import lean_ray
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
    ("events", "is_unhealthy"),
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
    events: list[tuple[str, int | None]], is_unhealthy: bool
) -> None:
    assert health(*events).is_unhealthy(A) is is_unhealthy


def test_the_last_node_that_ever_worked_is_given_up_late() -> None:
    found = health((A, None), (A, 1), (A, 2), (A, 1), (A, 2), (A, 3))
    assert found.is_unhealthy(A) and not found.is_unhealthy(A, last=True)
    found.failed(A, 3)
    assert found.is_unhealthy(A, last=True)
    assert health((A, 1), (A, 2)).is_unhealthy(A, last=True), "nothing has ever worked there"


# -- on a cluster -------------------------------------------------------------------------------


class AilingRun(ReplayedRun):
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
        while self.curve.epoch == 1 and len(self._notes.read_text().split()) < 2:
            assert time.monotonic() < deadline, "nobody else fails"
            time.sleep(0.1)
        return super().run_epoch()


def play(run: Assignment) -> Recording:
    return Recording(values=[0.1, 0.2, 0.3])


@lean_ray()
def searched(folder: Path) -> dict[str, dict[str, Any]]:
    """Two searches of twelve runs: on a sound and an ill node, and on that and another ill one."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray
    from ray.cluster_utils import Cluster

    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.raytune import placement
    from fer_tune.tuning.raytune.runtime import ray_connection

    placement.GRACE_S = placement.POLL_INTERVAL_S = 2.0
    # The dashboard would be ten processes that nobody looks at.
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )

    def alive() -> int:
        return sum(node["Alive"] for node in ray.nodes())

    try:
        sound, ill = (cluster.add_node(num_cpus=1, env_vars={"ILL": mark}) for mark in "01")
        with ray_connection(SearchOptions(address=cluster.address)):
            found = {"one": {"ill": [ill.node_id[:8]], **played(folder / "one")}}
            cluster.remove_node(sound)
            second = cluster.add_node(num_cpus=1, env_vars={"ILL": "1"})
            deadline = time.monotonic() + 60
            while alive() != 3:
                assert time.monotonic() < deadline, ray.nodes()
                time.sleep(0.1)
            both = [ill.node_id[:8], second.node_id[:8]]
            found["all"] = {"ill": both, **played(folder / "all")}
    finally:
        cluster.shutdown()
    return found


def played(folder: Path) -> dict[str, Any]:
    """A search on the nodes that are there."""
    from rich.console import Console

    from fer_tune.records import Results
    from fer_tune.tuning.log.log_file import log_file

    folder.mkdir()
    notes = folder / "failures.txt"
    notes.write_text("")
    error = None
    with (folder / "console.txt").open("w") as out, log_file(folder):
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
        except EnvironmentFault as caught:
            error = str(caught)
    return {
        "error": error,
        "trials": Results(folder / "r").read("trials")[["trial", "state"]].values.tolist(),
        "console": (folder / "console.txt").read_text(),
        "log": (folder / "search.log").read_text(),
    }


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By how many of the two nodes are ill."""
    found: dict[str, dict[str, Any]] = apart(
        searched, tmp_path_factory.mktemp("nodes"), within_s=800.0
    )
    return found


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trials_go_elsewhere_than_to_an_ill_node(searches: dict[str, dict[str, Any]]) -> None:
    found = searches["one"]
    assert found["error"] is None
    assert found["trials"] == [[number, "complete"] for number in range(12)]
    (ill,) = found["ill"]
    for text in (found["console"], found["log"]):
        assert f"({ill}), most recently with: " in text and "It is avoided for now." in text
    failures = found["log"].count("failed and restarts")
    assert 2 <= failures <= 6, "those that were placed there before, and no more"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_without_a_sound_node_ends_and_says_so(
    searches: dict[str, dict[str, Any]],
) -> None:
    found = searches["all"]
    assert "no usable machine is left: trials keep failing on" in found["error"]
    assert all(ill in found["error"] for ill in found["ill"])
    assert len(found["trials"]) < 12, "the budget is not burnt"
