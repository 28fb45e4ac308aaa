"""Trials that cannot start: refused before the search, or reported while they wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ray.tune.experiment import Trial
from rich.console import Console

from fer_tune import ray_private
from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.concurrency import expects_machines, pending_limit
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.autoscaler import Growth
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.nodes import waiting
from fer_tune.tuning.raytune.nodes.waiting import LONGEST_S, PATIENCE_S, ResourceWait
from fer_tune.tuning.raytune.placement import Placement
from fer_tune.tuning.raytune.runtime import RayConnection, ray_connection
from tests.lean_ray import lean_ray
from tests.module_time import replace_time
from tests.tuning.apart import apart
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_autoscaler import SlowRun
from tests.tuning.raytune.test_placement import Cluster
from tests.tuning.recorded_stage import play_runs


def joined(*machines: dict[str, float], growth: Growth | None = None) -> RayConnection:
    total = {name: sum(m.get(name, 0.0) for m in machines) for name in ("CPU", "GPU")}
    return RayConnection(
        dashboard=None, have=total, growth=growth or Growth(), joined=True, machines=machines
    )


def test_what_no_single_machine_has_is_refused_with_what_the_largest_has() -> None:
    space = make_space(resources={"cpu": 4, "gpu": 1})
    small, large = {"CPU": 2.0, "GPU": 1.0}, {"CPU": 3.0, "GPU": 1.0}
    with pytest.raises(EnvironmentFault) as caught:
        pending_limit(joined(small, large, small), space)
    assert "a trial needs 4 CPU and 1 GPU on one machine" in str(caught.value)
    assert "the largest of 3 machines has 3 CPU and 1 GPU" in str(caught.value)
    assert "(all together 7 CPU and 3 GPU)" in str(caught.value)
    apart = joined({"CPU": 16.0}, {"CPU": 2.0, "GPU": 4.0})
    with pytest.raises(EnvironmentFault, match="of 2 machines has 2 CPU and 4 GPU"):
        pending_limit(apart, space)
    assert pending_limit(joined(small, {"CPU": 4.0, "GPU": 1.0}), space) == 1


def test_slots_are_counted_on_each_machine() -> None:
    three = joined(*[{"CPU": 3.0}] * 3)
    assert three.slots(2, 0) == 3, "not the four that nine CPUs would hold"


def grows(cpus: int) -> Growth:
    types = {
        "head": {"resources": {"CPU": 0}},
        "worker": {"resources": {"CPU": cpus}, "max_workers": 2},
    }
    return Growth(
        config={"max_workers": 2, "head_node_type": "head", "available_node_types": types}
    )


def test_an_autoscaler_that_cannot_add_such_a_machine_is_not_waited_for() -> None:
    space = make_space(resources={"cpu": 4, "gpu": 0, "max_concurrent": 2})
    with pytest.raises(EnvironmentFault, match="has 1 CPU and 0 GPU") as caught:
        pending_limit(joined({"CPU": 1.0}, growth=grows(2)), space)
    assert "max_concurrent" not in str(caught.value), "the cluster file is known"
    assert not expects_machines(joined({"CPU": 1.0}, growth=grows(2)), space)
    assert expects_machines(joined({"CPU": 1.0}, growth=grows(4)), space)
    assert expects_machines(joined({"CPU": 1.0}), space), "by max_concurrent, as none is known"
    assert not expects_machines(joined({"CPU": 4.0}), space), "no more are needed"


class Clock:
    """Machines, what is free of them, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.machines = 100.0, [{"CPU": 2.0}]
        self.free: dict[str, float] = {}
        self.said: list[str] = []
        replace_time(monkeypatch, waiting, monotonic=lambda: self.now)
        monkeypatch.setattr(waiting.ray, "nodes", self._nodes)
        monkeypatch.setattr(waiting.ray, "available_resources", lambda: self.free)
        monkeypatch.setattr(waiting.ray, "cluster_resources", lambda: self.machines[0])

    def _nodes(self) -> list[dict[str, Any]]:
        dead = {"Alive": False, "Resources": {"CPU": 64.0}}
        return [dead, *({"Alive": True, "Resources": m} for m in self.machines)]

    def wait(self, one: ResourceWait, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now += 1
            one.check()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_search_whose_machines_have_left_says_so_and_ends(clock: Clock) -> None:
    one = ResourceWait({"CPU": 4.0}, clock.said.append, can_grow=False)
    clock.wait(one, 60)
    assert "waiting for a machine with 4 CPU to join: the only machine has 2 CPU" in clock.said[0]
    assert "can be resumed" in clock.said[0]
    with pytest.raises(EnvironmentFault, match="needs 4 CPU, but the only machine has 2 CPU"):
        clock.wait(one, PATIENCE_S)


def test_a_machine_that_returns_in_time_is_used(clock: Clock) -> None:
    one = ResourceWait({"CPU": 4.0}, clock.said.append, can_grow=False)
    clock.wait(one, PATIENCE_S - 20)
    clock.machines.append({"CPU": 4.0})
    clock.wait(one, 10)
    one.over()
    assert "wait for resources is over" in clock.said[-1]
    clock.machines.pop()
    clock.wait(one, PATIENCE_S - 20)  # counted from its start again


def test_a_wait_that_is_over_does_not_count_again(clock: Clock) -> None:
    """A trial ran although no machine could run another: its own was lost a moment ago."""
    one = ResourceWait({"CPU": 4.0}, clock.said.append, can_grow=False)
    clock.wait(one, PATIENCE_S - 20)
    one.over()
    clock.wait(one, PATIENCE_S - 20)


def test_an_autoscaler_is_waited_for_with_ever_rarer_reports(clock: Clock) -> None:
    one = ResourceWait({"CPU": 1.0, "GPU": 0.5}, clock.said.append, can_grow=True)
    clock.wait(one, 10 * LONGEST_S)
    wanted = "waiting for a machine with 1 CPU and 0.5 GPU from the autoscaler"
    assert all(wanted in line for line in clock.said)
    assert 10 < len(clock.said) < 20


def test_resources_that_other_work_holds_are_reported_and_waited_for(clock: Clock) -> None:
    one = ResourceWait({"CPU": 2.0}, clock.said.append, can_grow=False)
    clock.free = {"CPU": 1.0}
    clock.wait(one, 2 * PATIENCE_S)
    assert "which other work on this Ray occupies: 1 CPU free of 2 CPU" in clock.said[0]


def test_a_short_start_is_not_reported(clock: Clock) -> None:
    one = ResourceWait({"CPU": 2.0}, clock.said.append, can_grow=False)
    clock.wait(one, 12)
    one.over()
    clock.wait(one, 12)
    assert clock.said == []


class Controller:
    """Ray's controller with trials, as a scheduler sees it, and its count of actors."""

    def __init__(self, *trials: Trial) -> None:
        self.trials, self.num_live_actors = trials, 0
        self._tune_controller = self._actor_manager = self
        self._trial_to_actor: dict[Trial, object] = {}
        self._live_actors_to_ray_actors_resources: dict[object, object] = {}

    def get_live_trials(self) -> tuple[Trial, ...]:
        return self.trials

    get_trials = get_live_trials


def test_the_phase_watches_trials_that_are_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, monkeypatch)
    replace_time(monkeypatch, waiting, monotonic=lambda: cluster.now)
    controller = Controller(cluster.trial())
    placement: Placement = cluster.placement

    def steps(seconds: int) -> None:
        for _ in range(seconds):
            cluster.now += 1
            placement.choose_trial_to_run(controller)

    controller.num_live_actors = 1  # it starts
    cluster.alive = []
    steps(1000)
    assert cluster.out.getvalue() == ""
    controller.num_live_actors = 0
    steps(30)
    assert "waiting for a machine with 1 CPU to join: there is no machine" in cluster.out.getvalue()
    with pytest.raises(EnvironmentFault, match="no machine that can run a trial"):
        steps(1000)
    assert placement.error is not None, "run_phase raises it in place of Ray's error"


# -- on a cluster -------------------------------------------------------------------------------


class First(DriverCallback):
    """Does something after the first report."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act

    def on_trial_result(self, **info: Any) -> None:
        if self._act is not None:
            act, self._act = self._act, None
            act()


@lean_ray()
def on_machines_that_leave(folder: Path) -> dict[str, Any]:
    """A search on two machines of one CPU, which leave after its first epoch."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from ray.cluster_utils import Cluster as RayCluster

    waiting.FIRST_S, waiting.POLL_INTERVAL_S, waiting.PATIENCE_S = 1.0, 0.5, 4.0
    cluster = RayCluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    found: dict[str, Any] = {}

    def leave() -> None:
        alive = [actor for actor in ray_private.actors().values() if actor["State"] == "ALIVE"]
        found["classes"] = {actor["ActorClassName"] for actor in alive}
        for node in nodes:
            cluster.remove_node(node)

    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        with ray_connection(SearchOptions(address=cluster.address)) as engine:
            try:
                pending_limit(engine, make_space(resources={"cpu": 2, "gpu": 0}))
            except EnvironmentFault as error:
                found["refused"] = str(error)
            out = StringIO()
            try:
                play_runs(
                    make_space(budget={"trials": 2, "max_epochs": 3}, resources={"cpu": 1}),
                    folder / "r",
                    2,
                    SlowRun,
                    asked=2,
                    callbacks=[First(leave)],
                    console=Console(file=out, width=300),
                )
            except EnvironmentFault as error:
                found["ended"] = str(error)
            found["console"] = out.getvalue()
    finally:
        cluster.shutdown()
    return found


@pytest.mark.ray
@pytest.mark.slow
def test_on_a_cluster_nothing_waits_silently(tmp_path: Path) -> None:
    found = apart(on_machines_that_leave, tmp_path)
    refused = "needs 2 CPU and 0 GPU on one machine, but the largest of 3 machines has 1 CPU"
    assert refused in found["refused"]
    assert (
        "waiting for a machine with 1 CPU to join: the only machine has 0 CPU" in found["console"]
    )
    assert "no machine that can run a trial" in found["ended"]
    assert found["classes"] == {"TrialActor"}, "in Ray's dashboard"
