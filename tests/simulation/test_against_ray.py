"""A search through the real Ray, one trial at a time, decides as its simulation does."""

from __future__ import annotations

import functools
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_records import make_space
from ray import cloudpickle
from rich.console import Console

from fer_tune.records import Results
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.phases import explore
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.runtime import ray_connection
from fer_tune.tuning.session import Search
from fer_tune.tuning.studies.confirmation import choose

pytestmark = pytest.mark.ray

SPACE = make_space(
    budget={"trials": 16, "max_epochs": 6},
    scheduler={"kind": "asha", "grace_epochs": 1, "reduction_factor": 2},
    audit={"share": 0.4},
    confirm={"seeds": 2},
)
WORLD = AnalyticWorld(space=SPACE, oom_crop=64, classes=2, seed=3)


def play(run: Assignment) -> Recording:
    """The course of the world as a recording."""
    course = WORLD.course(run)
    return Recording(
        values=list(course.values),
        val_loss=list(course.val_loss),
        train_loss=list(course.train_loss),
        oom_at=None if course.fails_after is None else course.fails_after + 1,
        oom_had_share=True,
    )


def recorded(root: Path) -> Results:
    log = EventLog.begin(root, {"space": SPACE.as_dict()})
    dataset: Any = SimpleNamespace(classes=("x", "y"))
    search = Search(
        space=SPACE,
        dataset=dataset,
        results=Results(root),
        local_folder=root,
        log=log,
        history=History.read(root),
        settings=replay_settings(SPACE, root),
        console=Console(file=StringIO()),
        interruption=Interruption(Console(file=StringIO())),
        asked=1,
        shows_progress=True,
    )
    # Workers cannot import this module.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with ray_connection(SearchOptions(cpus=2, dashboard=False)):
        explore(search, functools.partial(ReplayedRun, play))
    return Results(root)


def test_the_same_trials_are_asked_for_stopped_and_chosen(tmp_path: Path) -> None:
    trials = recorded(tmp_path).read("trials").sort_values("trial")
    found = simulate(SPACE, WORLD, Fleet())
    configs = [run.assignment.config.as_dict() for run in found.trials]
    assert trials[list(configs[0])].to_dict("records") == configs
    for column, own in (
        ("trial", [run.assignment.number for run in found.trials]),
        ("arm", [run.assignment.arm for run in found.trials]),
        ("cohort", [run.assignment.cohort for run in found.trials]),
        ("seed", [run.assignment.seed for run in found.trials]),
        ("epochs", [run.epochs for run in found.trials]),
        ("state", [run.state for run in found.trials]),
    ):
        assert list(trials[column]) == own, column
    assert {"pruned", "complete", "oom"} <= set(trials["state"])
    assert trials["audit_epoch"].notna().any()
    chosen = [(choice["arm"], choice["config"]) for choice in choose(trials, "macro_f1")]
    runs = found.confirmations
    confirmed = {run.assignment.arm: run.assignment.config.as_dict() for run in runs}
    assert confirmed == dict(chosen)
