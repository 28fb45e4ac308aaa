"""Verdicts of simulated searches: those that the report would give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fer_tune.cli.planning.verdicts import verdict
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.runs import SimulatedRun, SimulatedSearch
from fer_tune.space import SearchSpace
from tests.cli.planned_space import SPACE, small

__all__ = ["small"]


@pytest.mark.parametrize(
    ("peaks", "replicates", "seeds", "expected"),
    [
        ({"densenet121": 0.8, "resnet50": 0.5}, 5, 2, "better"),
        ({"densenet121": 0.5, "resnet50": 0.8}, 5, 2, "better"),
        ({"densenet121": 0.8, "resnet50": 0.5}, 1, 2, "not comparable"),
        ({"densenet121": 0.8, "resnet50": 0.5}, 1, 5, "better"),
    ],
)
def test_the_verdict_is_that_of_the_report(
    peaks: dict[str, float], replicates: int, seeds: int, expected: str
) -> None:
    space = SearchSpace.from_dict(
        {
            **SPACE,
            "compare": {"arms": ["densenet121", "resnet50"], "replicates": replicates},
            "budget": {"trials": 16 * replicates, "max_epochs": 6},
            "confirm": {"seeds": seeds},
        }
    )
    search = simulate(space, AnalyticWorld(space=space, peaks=peaks), Fleet(gpus=8))
    assert verdict(search) == expected


def test_unequal_trials_are_not_comparable() -> None:
    peaks = {"densenet121": 0.8, "resnet50": 0.5}
    space = SearchSpace.from_dict({**SPACE, "confirm": {"seeds": 5}})
    search = simulate(space, AnalyticWorld(space=space, peaks=peaks), Fleet(gpus=8))
    assert verdict(search) == "better"
    assert verdict(replace(search, trials=search.trials[:-1])) == "not comparable"
    sampled = {"compare": {"arms": ["densenet121", "resnet50"], "allocation": "sampled"}}
    chosen = SearchSpace.from_dict({**SPACE, "confirm": {"seeds": 5}, **sampled})
    assert verdict(replace(search, space=chosen)) == "not comparable"


@pytest.fixture(scope="module")
def better() -> SimulatedSearch:
    """A search whose first arm is better, whichever configuration is chosen."""
    peaks = {"densenet121": 0.8, "resnet50": 0.5}
    space = SearchSpace.from_dict({**SPACE, "confirm": {"seeds": 5}})
    search = simulate(space, AnalyticWorld(space=space, peaks=peaks), Fleet(gpus=8))
    assert verdict(search) == "better"
    return search


def _with(run: SimulatedRun, **parameters: Any) -> SimulatedRun:
    config = replace(run.assignment.config, **parameters)
    return replace(run, assignment=replace(run.assignment, config=config))


def test_many_failed_trials_are_not_comparable(better: SimulatedSearch) -> None:
    failed = [replace(run, state="failed") if run.epochs < 6 else run for run in better.trials]
    assert sum(run.state == "failed" for run in failed) >= 3
    assert verdict(replace(better, trials=failed)) == "not comparable"


def test_values_at_a_limit_are_not_comparable(better: SimulatedSearch) -> None:
    low = better.space.parameters["lr_head"].low  # type: ignore[union-attr]
    trials = [replace(_with(run, lr_head=low), state="complete") for run in better.trials]
    assert verdict(replace(better, trials=trials)) == "not comparable"


def test_confirmation_runs_that_failed_are_no_units(better: SimulatedSearch) -> None:
    confirmations = [replace(run, state="failed") for run in better.confirmations]
    assert verdict(replace(better, confirmations=confirmations)) == "not comparable"
