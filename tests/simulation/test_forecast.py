"""Figures over simulated searches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from made_records import make_space

from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.forecast import ENDS, Chance, Spread, forecast
from fer_tune.simulation.running import Simulator, jobs
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.space import SearchSpace


def found(space: SearchSpace, runs: int = 6) -> Sequence[SimulatedSearch]:
    fleet = Fleet.of(space, 3, autoscale_delay_s=60.0)
    todo = jobs(space, lambda seed: AnalyticWorld(space=space, seed=seed), fleet, runs=runs)
    return Simulator().run(todo)


def test_spread_and_chance() -> None:
    spread = Spread.of([math.nan, *map(float, range(101))])
    assert spread == Spread(mean=50.0, low=5.0, high=95.0)
    assert Spread.of([math.nan]) is None and Chance.of(0, 0) is None
    chance = Chance.of(5, 10)
    assert chance is not None and chance.share == 0.5
    assert (chance.low, chance.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # Wilson


def test_the_figures_add_up() -> None:
    space = make_space()
    many = found(space)
    expected = forecast(many, price_per_hour=2.0)
    assert sum(expected.ends[end].mean for end in ENDS) == pytest.approx(24)
    assert expected.price is not None and expected.fleet_price is not None
    assert expected.price.mean == pytest.approx(2 * expected.accelerator_hours.mean)
    assert expected.fleet_price.mean == pytest.approx(2 * expected.fleet_hours.mean)
    assert expected.fleet_hours.mean == pytest.approx(3 * (expected.hours.mean - 60 / 3600))
    assert expected.accelerator_hours.mean < expected.fleet_hours.mean
    assert 0 < expected.saved.mean < 1 and 0 < expected.utilisation.mean <= 1
    assert expected.nearly_hours is not None and expected.nearly_hours.mean < expected.hours.mean
    assert expected.stopped_best is not None and expected.stopped_best.cases == 12
    assert len({search.seconds for search in many}) == 6


def test_without_a_scheduler_nothing_is_lost() -> None:
    space = make_space(scheduler={"kind": "none"}, stopper={"enabled": False})
    expected = forecast(found(space))
    assert expected.saved.mean == 0 and expected.stopped_best is None and expected.price is None
    assert expected.regret == Spread(mean=0.0, low=0.0, high=0.0)


def test_fiercer_halving_stops_the_best_more_often() -> None:
    shares = []
    for factor in (2, 8):
        kind = {"kind": "asha", "grace_epochs": 1, "reduction_factor": factor}
        space = make_space(scheduler=kind, audit={"share": 0.0}, stopper={"enabled": False})
        chance = forecast(found(space, runs=10)).stopped_best
        assert chance is not None
        shares.append(chance.share)
    assert shares[0] < shares[1]
