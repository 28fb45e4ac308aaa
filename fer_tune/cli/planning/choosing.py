"""Choosing a plan: the candidates that fit the budget, simulated, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_tune.cli.planning.answers import Answers
from fer_tune.cli.planning.budgets import SearchBudget
from fer_tune.cli.planning.verdicts import verdict
from fer_tune.errors import SpaceError, UserError
from fer_tune.simulation.candidates import Candidate, grid, rough_epochs
from fer_tune.simulation.forecast import Chance, Forecast, forecast, searches
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.space import load

if TYPE_CHECKING:
    from fer_tune.simulation.world import World
    from fer_tune.space import SearchSpace

#: Candidates that are simulated, and simulated searches of each.
MOST_SIMULATED = 6
SCREENING_RUNS = 4

Load = Callable[[Sequence[str]], "SearchSpace"]
Worlds = Callable[["SearchSpace"], Callable[[int], "World"]]


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What simulated searches of one plan show.

    Attributes:
        overrides: as ``--set`` takes them.
        verdicts: simulated searches by verdict; empty for a single arm.
        power: share that end as ``better``; conclusive: as ``better`` or ``small``.
        value: mean over arms of the expected best.
        spent: mean, in the budget's unit.
    """

    overrides: tuple[str, ...]
    forecast: Forecast
    verdicts: dict[str, int]
    power: Chance | None
    conclusive: Chance | None
    value: float | None
    spent: float

    def rank(self, metric: str) -> tuple[float, float, float]:
        """Larger is better: a conclusion, then the best value, then the lower cost."""
        share = 0.0 if self.conclusive is None else self.conclusive.share
        if self.value is None:
            return share, -math.inf, -self.spent
        return share, -self.value if metric == "loss" else self.value, -self.spent

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def load_with(name: str, given: Sequence[str]) -> Load:
    """Loads the space with further overrides."""
    return lambda more: load(name, [*given, *more])


class Planner:
    """Chooses settings of a search space by simulation.

    Args:
        worlds: of a space, the world of each simulated search.
    """

    def __init__(
        self, spaces: Load, worlds: Worlds, options: Answers, budget: SearchBudget
    ) -> None:
        self._spaces, self._worlds, self._options, self._budget = spaces, worlds, options, budget
        self._base = spaces([])

    def choose(self) -> Outlook:
        """The best plan within the budget, simulated in full.

        Raises:
            UserError: not even the cheapest candidate fits.
        """
        ranked = self._ranked()
        if not ranked:
            raise self._refusal(min(cost for cost, _ in self._rough_costs))
        cheapest = math.inf
        for start in range(0, len(ranked), MOST_SIMULATED):
            batch = ranked[start : start + MOST_SIMULATED]
            screened = [self.look(each, SCREENING_RUNS) for each in batch]
            fitting = [look for look in screened if look.spent <= self._budget.amount]
            if fitting:
                best = max(fitting, key=lambda look: look.rank(self._base.metric))
                return self.look(best.overrides, self._options.runs)
            cheapest = min(cheapest, *(look.spent for look in screened))
        raise self._refusal(cheapest)

    def _refusal(self, cheapest: float) -> UserError:
        return UserError(
            f"no plan fits: the cheapest costs about {cheapest:.3g}{self._budget.unit}",
            where="--budget",
            value=self._budget.words,
            remedy="Raise the budget, or lower max_epochs with --set",
        )

    def alternatives(self, chosen: Outlook) -> dict[str, Outlook]:
        """The chosen plan with other schedulers and samplers, by name."""
        own = self._spaces(chosen.overrides).scheduler
        changes = {
            "no scheduler": ["scheduler.kind=none"],
            "random": ["cohorts.random=1.0"],
            **{
                f"factor {factor}": [f"scheduler.reduction_factor={factor}"]
                for factor in (2, 3, 4)
                if factor != own.reduction_factor
            },
        }
        return {
            name: self.look([*chosen.overrides, *change], self._options.runs)
            for name, change in changes.items()
        }

    def look(self, overrides: Sequence[str], runs: int) -> Outlook:
        """Simulates the space with ``overrides``."""
        found = self._simulated(overrides, runs)
        kinds = [kind for search in found if (kind := verdict(search)) is not None]
        expected = forecast(found, price_per_hour=self._budget.price_per_hour)
        known = [best.mean for best in expected.best.values() if best is not None]
        return Outlook(
            overrides=tuple(overrides),
            forecast=expected,
            verdicts={kind: kinds.count(kind) for kind in sorted(set(kinds))},
            power=Chance.of(kinds.count("better"), len(kinds)),
            conclusive=Chance.of(kinds.count("better") + kinds.count("small"), len(kinds)),
            value=float(np.mean(known)) if known else None,
            spent=float(np.mean([self._budget.spent(search) for search in found])),
        )

    def _simulated(self, overrides: Sequence[str], runs: int) -> list[SimulatedSearch]:
        space, options = self._spaces(overrides), self._options
        world, fleet = self._worlds(space), options.fleet(space)
        return list(searches(space, world, fleet, runs=runs, seed=options.seed))

    # -- candidates that may fit --------------------------------------------------------------

    def _ranked(self) -> list[list[str]]:
        """The candidates within the budget by a rough estimate, the fullest first.

        Of those with the same studies and trials, the fullest alone.
        """
        fullest: dict[tuple[str, str], tuple[float, list[str]]] = {}
        for cost, own in self._rough_costs:
            trials, _, replicates = own[:3]
            known, _ = fullest.get((trials, replicates), (-math.inf, []))
            if known < cost <= self._budget.amount:
                fullest[trials, replicates] = (cost, own)
        return [own for _, own in sorted(fullest.values(), key=lambda pair: -pair[0])]

    @cached_property
    def _rough_costs(self) -> list[tuple[float, list[str]]]:
        """Of every valid candidate, from the cost of an epoch in one search of the space."""
        (search,) = self._simulated([], 1)
        per_epoch = self._budget.spent(search) / max(1, search.epochs)
        spaces = [(own, self._try(own)) for own in map(self._overrides, grid(self._base))]
        return [(rough_epochs(s) * per_epoch, own) for own, s in spaces if s is not None]

    def _overrides(self, candidate: Candidate) -> list[str]:
        equal = self._base.compare.allocation == "equal"
        return candidate.overrides(len(self._base.compare.arms) if equal else 1)

    def _try(self, overrides: Sequence[str]) -> SearchSpace | None:
        """The space with these settings; None where they are not valid for it."""
        try:
            return self._spaces(overrides)
        except SpaceError:
            return None
