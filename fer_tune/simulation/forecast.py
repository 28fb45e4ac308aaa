"""What a search is expected to do: the outcomes of several simulated ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from fer_tune.simulation.runs import SimulatedRun, SimulatedSearch

#: Quantiles of the interval over simulated searches.
LOW, HIGH = 0.05, 0.95
#: Ways in which a trial ends, in the order of display.
ENDS = ("complete", "overfit", "pruned", "diverged", "oom", "failed")
#: Share of the final best at which a search counts as nearly done.
NEARLY = 0.95


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over simulated searches: mean, and the interval of nine in ten."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None without a finite value; others are left out."""
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return None
        low, high = np.quantile(finite, [LOW, HIGH])
        return cls(mean=float(np.mean(finite)), low=float(low), high=float(high))


@dataclass(frozen=True, kw_only=True)
class Chance:
    """A share of cases, with Wilson's 95 % interval."""

    share: float
    low: float
    high: float
    cases: int

    @classmethod
    def of(cls, hits: int, cases: int) -> Chance | None:
        """None without cases."""
        if cases == 0:
            return None
        interval = binomtest(hits, cases).proportion_ci(method="wilson")
        low, high = float(interval.low), float(interval.high)
        return cls(share=hits / cases, low=low, high=high, cases=cases)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Figures over simulated searches.

    Attributes:
        ends: trials by the way in which they end.
        epochs: of trials and confirmation runs. saved: share of the trials' epochs spared by ASHA
            and the stopper.
        hours: of the whole search. confirm_hours: the part of confirmation. nearly_hours: until
            the best value so far of every arm is within 5 % of its final one.
        accelerator_hours: that runs hold, as records count, times their share of a GPU;
            lost_hours: what no record has of the time on GPUs: repeated after a loss, or ended
            with an error; fleet_hours: of all GPUs from their arrival to the end, used or not.
        price, fleet_price: of the first and the last; None without a price.
        best: by arm, of the choices, by validation.
        regret: by how much the best trial of an arm would be better than the best choice, had no
            trial been stopped.
        stopped_best: chance that ASHA stops the trial of an arm that would have been best.
        losses: of machines under a run.
    """

    runs: int
    ends: dict[str, Spread]
    epochs: Spread
    saved: Spread
    hours: Spread
    confirm_hours: Spread
    nearly_hours: Spread | None
    accelerator_hours: Spread
    lost_hours: Spread
    fleet_hours: Spread
    price: Spread | None
    fleet_price: Spread | None
    utilisation: Spread
    best: dict[str, Spread | None]
    regret: Spread | None
    stopped_best: Chance | None
    losses: Spread


def forecast(found: Sequence[SimulatedSearch], *, price_per_hour: float | None = None) -> Forecast:
    """The figures of simulated searches of one space, at least one.

    Args:
        price_per_hour: of a GPU.
    """
    hours = [search.accelerator_s / 3600 for search in found]
    fleet = [search.fleet_s / 3600 for search in found]
    stopped = [case for search in found for case in _stopped_best(search)]
    return Forecast(
        runs=len(found),
        ends={
            end: _spread(Counter(r.state for r in search.trials)[end] for search in found)  # type: ignore[index]
            for end in ENDS
        },
        epochs=_spread(search.epochs for search in found),
        saved=_spread(map(_saved, found)),
        hours=_spread(search.seconds / 3600 for search in found),
        confirm_hours=_spread((s.seconds - s.searched_s) / 3600 for s in found),
        nearly_hours=Spread.of([_nearly_s(search) / 3600 for search in found]),
        accelerator_hours=_spread(hours),
        lost_hours=_spread(search.lost_s / 3600 for search in found),
        fleet_hours=_spread(fleet),
        price=_price(hours, price_per_hour),
        fleet_price=_price(fleet, price_per_hour),
        utilisation=_spread(search.utilisation for search in found),
        best={
            arm: Spread.of([_best(search, arm) for search in found])
            for arm in found[0].space.compare.arms
        },
        regret=Spread.of([_regret(search) for search in found]),
        stopped_best=Chance.of(sum(stopped), len(stopped)),
        losses=_spread(sum(run.losses for run in search.runs) for search in found),
    )


def _spread(values: Iterator[float] | Sequence[float]) -> Spread:
    found = Spread.of(list(values))
    assert found is not None, "these figures are always finite"
    return found


def _price(hours: Sequence[float], per_hour: float | None) -> Spread | None:
    return None if per_hour is None else Spread.of([hour * per_hour for hour in hours])


def _saved(search: SimulatedSearch) -> float:
    whole = len(search.trials) * search.space.budget.max_epochs
    return 1 - sum(run.epochs for run in search.trials) / whole


def _of_arm(search: SimulatedSearch, arm: str) -> list[SimulatedRun]:
    return [run for run in search.trials if run.assignment.arm == arm]


def _best(search: SimulatedSearch, arm: str) -> float:
    """Validation value of the best eligible trial of an arm, in the metric's own sign."""
    eligible = [r.best for r in _of_arm(search, arm) if r.state in ("complete", "overfit")]
    best = max(eligible, default=math.nan)
    return -best if search.space.metric == "loss" else best


def _regret(search: SimulatedSearch) -> float:
    sign = -1.0 if search.space.metric == "loss" else 1.0
    losses = []
    for arm in search.space.compare.arms:
        best = _would_be_best(search, arm)
        if best is not None:
            losses.append(best.potential - sign * _best(search, arm))
    return float(np.mean(losses)) if losses else math.nan


def _would_be_best(search: SimulatedSearch, arm: str) -> SimulatedRun | None:
    """The trial of an arm with the best whole course."""
    able = [run for run in _of_arm(search, arm) if math.isfinite(run.potential)]
    return max(able, key=lambda run: run.potential, default=None)


def _stopped_best(search: SimulatedSearch) -> list[bool]:
    """Per arm, whether ASHA stopped the trial that would have been best."""
    if search.space.scheduler.kind == "none":
        return []
    best = [_would_be_best(search, arm) for arm in search.space.compare.arms]
    return [run.state == "pruned" for run in best if run is not None]


def _nearly_s(search: SimulatedSearch) -> float:
    """Virtual seconds until every arm has an ended trial near its final best; NaN for a loss."""
    if search.space.metric == "loss":
        return math.nan
    times = []
    for arm in search.space.compare.arms:
        final = _best(search, arm)
        ended = [
            run.ended
            for run in _of_arm(search, arm)
            if run.state in ("complete", "overfit") and run.best >= NEARLY * final
        ]
        times.append(min(ended, default=math.nan))
    return max(times) if all(map(math.isfinite, times)) else math.nan
