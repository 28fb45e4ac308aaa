"""Whose fault a failure is, and where trials go after it: by Ray's own trials and errors."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import pytest
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo
from ray.exceptions import ActorDiedError
from ray.train._internal.storage import StorageContext
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from rich.console import Console

from fer_tune.space import TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune import placement
from fer_tune.tuning.raytune.placement import AVOIDANCE_S, Placement
from tests.module_time import replace_time

A, B = "a" * 56, "b" * 56


class Cluster:
    """Nodes of four CPUs, trials on them, and a clock."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.alive, self.now = [A, B], 0.0
        self._actors: dict[str, str] = {}
        self._numbers = itertools.count()
        self._storage = StorageContext(storage_path=str(folder), experiment_dir_name="x")
        self.out = io.StringIO()
        console = Console(file=self.out, width=300)
        self.placement = Placement(FIFOScheduler(), {"CPU": 1.0}, console)
        # Ray puts the errors of its trials there, if it runs.
        monkeypatch.setattr(
            "ray.train._internal.storage._get_ray_train_session_dir", lambda: str(folder)
        )
        monkeypatch.setattr(placement.ray, "nodes", self._nodes)
        monkeypatch.setattr(
            "ray._private.state.actors",
            lambda actor: {"Address": {"NodeID": self._actors[actor]}},
        )
        replace_time(monkeypatch, placement, monotonic=lambda: self.now)

    def _nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": n, "Alive": True, "Resources": {"CPU": 4.0}, "NodeManagerHostname": n[0]}
            for n in self.alive
        ]

    def trial(self) -> Trial:
        number = next(self._numbers)
        config = TrialConfig(backbone="resnet18", unfreeze_depth=1, crop_size=48, lr_head=1e-3)
        seeds = {"seed": 1, "weights_seed": 1, "view_seed": 1}
        run = Assignment(
            number=number, arm="a", replicate=0, cohort="tpe", config=config, **seeds
        ).as_dict()
        trial = Trial("x", config={"run": run}, stub=True, storage=self._storage)
        trial.init_local_path()
        self.placement.on_trial_add(None, trial)
        return trial

    def fails(self, trial: Trial, node: str, *, preempted: bool = False) -> None:
        """Its process dies with ``node``, or on it, and Ray tells so."""
        actor = f"{next(self._numbers):032x}"
        self._actors[actor] = node
        death = NodeDeathInfo(reason=NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED)
        more = {"node_death_info": death} if preempted else {}
        cause = ActorDiedErrorContext(actor_id=bytes.fromhex(actor), **more)
        trial.handle_error(ActorDiedError(cause=cause))
        self.placement.on_trial_error(None, trial)

    def shuns(self, node: str) -> bool:
        """Whether a new trial keeps away from ``node``."""
        selectors = self.trial().placement_group_factory._kwargs.get("bundle_label_selector")
        wanted = [one for selector in selectors or () for one in selector.values()]
        assert all(one.startswith("!in(") for one in wanted), wanted
        return any(node in one for one in wanted)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(tmp_path, monkeypatch)


def test_a_machine_that_the_cloud_takes_back_is_not_to_blame(cluster: Cluster) -> None:
    first, second = cluster.trial(), cluster.trial()
    cluster.fails(first, A, preempted=True)
    cluster.fails(second, A, preempted=True)
    assert not cluster.shuns(A) and cluster.out.getvalue() == ""
    assert first.run_metadata.num_failures == 0, "Ray blames nobody"
    cluster.fails(first, A)
    cluster.fails(second, A)
    assert cluster.shuns(A) and not cluster.shuns(B)


def test_attempts_are_given_back_for_a_machine_that_is_gone(cluster: Cluster) -> None:
    trial = cluster.trial()
    cluster.fails(trial, B)
    assert trial.run_metadata.num_failures == 1, "the machine is there"
    cluster.alive = [A]
    for _ in range(3):
        cluster.fails(trial, B)
        assert trial.run_metadata.num_failures == 1


def test_attempts_are_given_back_for_a_machine_that_proves_ill(cluster: Cluster) -> None:
    first, second = cluster.trial(), cluster.trial()
    cluster.fails(first, A)
    cluster.fails(second, A)
    assert (first.run_metadata.num_failures, second.run_metadata.num_failures) == (0, 0)
    cluster.fails(first, A)
    assert first.run_metadata.num_failures == 0, "it was placed there before"


def test_an_avoided_machine_is_tried_again_later_and_later(cluster: Cluster) -> None:
    for wait in (AVOIDANCE_S, 2 * AVOIDANCE_S):
        cluster.fails(cluster.trial(), A)
        cluster.fails(cluster.trial(), A)
        cluster.now += wait - 1
        cluster.placement.choose_trial_to_run(Idle())
        assert cluster.shuns(A)
        cluster.now += 10
        cluster.placement.choose_trial_to_run(Idle())
        assert not cluster.shuns(A)
    assert cluster.out.getvalue().count("is retried") == 2


class Idle:
    """Ray's controller without a trial to start."""

    def get_live_trials(self) -> list[Trial]:
        return []

    get_trials = get_live_trials


class Busy:
    """Ray's controller with pending trials, for some of which a process starts already."""

    def __init__(self, trials: list[Trial], starting: list[Trial]) -> None:
        self._trials = trials
        self._trial_to_actor = {trial: object() for trial in starting}
        self._live_actors_to_ray_actors_resources = dict.fromkeys(self._trial_to_actor.values())
        self._started_actors: set[object] = set()
        self.num_live_actors = 1
        self._tune_controller = self._actor_manager = self

    def get_live_trials(self) -> list[Trial]:
        return self._trials

    get_trials = get_live_trials


def test_a_free_process_takes_no_trial_whose_own_process_starts(cluster: Cluster) -> None:
    first, second, third = (cluster.trial() for _ in range(3))
    choose = cluster.placement.choose_trial_to_run
    assert choose(Busy([first, second, third], [])) is first
    assert choose(Busy([first, third, second], [first])) is second, "by number"
    assert choose(Busy([first, second], [first, second])) is first, "there is no other"
