"""Choosing a plan: the candidates that fit the budget, simulated, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_tune.cli.planning.answers import Answers
from fer_tune.cli.planning.budgets import SearchBudget
from fer_tune.cli.planning.verdicts import verdict
from fer_tune.errors import SpaceError, UserError
from fer_tune.simulation.candidates import Candidate, grid, rough_epochs
from fer_tune.simulation.forecast import Chance, Forecast, forecast
from fer_tune.simulation.running import Job, Simulator, jobs
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.space import load
from fer_tune.space import plan as make_plan
from fer_tune.space.plan import resolved_sampler
from fer_tune.tuning.log.assignment import derive_seed

if TYPE_CHECKING:
    from fer_tune.simulation.world import World
    from fer_tune.space import SearchSpace

#: Candidates that are simulated, and simulated searches of each.
MOST_SIMULATED = 6
SCREENING_RUNS = 4
#: Simulated searches of an alternative at most: a large search takes seconds to simulate.
ALTERNATIVE_RUNS = 8
#: Share of a plan's simulated searches that its limit may end early, if another plan does better.
MOST_CUT = 0.5

Load = Callable[[Sequence[str]], "SearchSpace"]
Worlds = Callable[["SearchSpace"], Callable[[int], "World"]]


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What simulated searches of one plan show.

    Attributes:
        overrides: as ``--set`` takes them.
        verdicts: simulated searches by verdict; empty for a single arm.
        power: share that end as ``better``; conclusive: as ``better`` or ``small``.
        cut: share that a budget of the space ends before the last trial.
        value: mean over arms of the expected best.
        spent: mean, in the budget's unit.
    """

    overrides: tuple[str, ...]
    forecast: Forecast
    verdicts: dict[str, int]
    power: Chance | None
    conclusive: Chance | None
    cut: float
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
        simulator: runs them.
    """

    def __init__(
        self,
        spaces: Load,
        worlds: Worlds,
        options: Answers,
        budget: SearchBudget,
        simulator: Simulator | None = None,
    ) -> None:
        self._spaces, self._worlds, self._options, self._budget = spaces, worlds, options, budget
        self._simulator = simulator or Simulator()
        self._base = spaces([])

    def choose(self) -> Outlook:
        """The best plan within the budget, with settings that hold its search to the budget.

        Raises:
            UserError: not even the cheapest candidate fits.
        """
        cheapest, held = math.inf, None
        for batch in self._batches():
            screened = self.looks(batch, SCREENING_RUNS, self._screening)
            fitting = [look for look in screened if self._fits(look)]
            for look in sorted(fitting, key=lambda o: o.rank(self._base.metric), reverse=True):
                # Simulated searches that chose the plan make it look better than it is.
                (full,) = self.looks([self._limited(look.overrides)], self._options.runs)
                if not self._fits(full):
                    cheapest = min(cheapest, full.spent)
                elif full.cut <= MOST_CUT:
                    return full
                else:
                    held = held or full
            over = [look.spent for look in screened if not self._fits(look)]
            cheapest = min([cheapest, *over])
        if held is not None:
            return held
        raise self._refusal(cheapest)

    @property
    def _screening(self) -> int:
        """Seed of the simulated searches that choose."""
        return derive_seed(self._options.seed, "screening")

    def _fits(self, look: Outlook) -> bool:
        return look.spent <= self._budget.amount

    def _limited(self, overrides: Sequence[str]) -> list[str]:
        """The settings, and those that hold the search to the budget, if its space takes them."""
        limited = [*overrides, *self._budget.limits(self._base.budget)]
        return list(overrides) if self._try(limited) is None else limited

    def _refusal(self, cheapest: float) -> UserError:
        return UserError(
            f"no plan fits: the cheapest costs about {self._budget.beyond(cheapest)}",
            where="--budget",
            value=self._budget.words,
            remedy="Raise the budget, or lower max_epochs with --set",
        )

    def alternatives(self, chosen: Outlook) -> dict[str, Outlook]:
        """The chosen plan with other schedulers and samplers, by name.

        They are not held to the budget. Changes without effect are left out.
        """
        limits = self._budget.limits(self._base.budget)
        plan = [one for one in chosen.overrides if one not in limits]
        own = self._spaces(plan)
        rungs = {"asha": ["scheduler.kind=asha"]}
        if make_plan(own).rungs:
            factors = [f for f in (2, 3, 4) if f != own.scheduler.reduction_factor]
            rungs = {f"factor {f}": [f"scheduler.reduction_factor={f}"] for f in factors}
            rungs = {"no scheduler": ["scheduler.kind=none"], **rungs}
        changes = {**rungs, "random": ["cohorts.random=1.0"]}
        if resolved_sampler(own) == "random" or own.cohorts.random == 1:
            del changes["random"]
        spaces = {name: self._try([*plan, *change]) for name, change in changes.items()}
        names = [
            name
            for name, space in spaces.items()
            if space is not None and space != own and (name != "asha" or make_plan(space).rungs)
        ]
        runs = min(ALTERNATIVE_RUNS, self._options.runs)
        found = self.looks([[*plan, *changes[name]] for name in names], runs)
        return dict(zip(names, found, strict=True))

    def looks(
        self, plans: Sequence[Sequence[str]], runs: int, seed: int | None = None
    ) -> list[Outlook]:
        """Simulates the space with the overrides of each plan.

        Args:
            runs: simulated searches of each.
            seed: by default that of the options.
        """
        seed = self._options.seed if seed is None else seed
        todo = [job for overrides in plans for job in self._jobs(overrides, runs, seed)]
        found = iter(self._simulator.run(todo))
        return [self._outlook(overrides, list(islice(found, runs))) for overrides in plans]

    def _jobs(self, overrides: Sequence[str], runs: int, seed: int) -> list[Job]:
        space = self._spaces(overrides)
        world, fleet = self._worlds(space), self._options.fleet(space)
        return jobs(space, world, fleet, runs=runs, seed=seed)

    def _outlook(self, overrides: Sequence[str], found: list[SimulatedSearch]) -> Outlook:
        kinds = [kind for search in found if (kind := verdict(search)) is not None]
        expected = forecast(found, price_per_hour=self._budget.price_per_hour)
        known = [best.mean for best in expected.best.values() if best is not None]
        return Outlook(
            overrides=tuple(overrides),
            forecast=expected,
            verdicts={kind: kinds.count(kind) for kind in sorted(set(kinds))},
            power=Chance.of(kinds.count("better"), len(kinds)),
            conclusive=Chance.of(kinds.count("better") + kinds.count("small"), len(kinds)),
            cut=float(np.mean([search.is_cut for search in found])),
            value=float(np.mean(known)) if known else None,
            spent=float(np.mean([self._budget.spent(search) for search in found])),
        )

    # -- candidates that may fit --------------------------------------------------------------

    def _batches(self) -> Iterator[list[list[str]]]:
        """Candidates to simulate together, until one of them fits.

        Those within the budget by a rough estimate, the fullest first and of those with the same
        studies and trials the fullest alone; at last the cheapest of all.
        """
        fullest: dict[tuple[str, str], tuple[float, list[str]]] = {}
        for cost, own in self._rough_costs:
            trials, _, replicates = own[:3]
            known, _ = fullest.get((trials, replicates), (-math.inf, []))
            if known < cost <= self._budget.amount:
                fullest[trials, replicates] = (cost, own)
        ranked = [own for _, own in sorted(fullest.values(), key=lambda pair: -pair[0])]
        for start in range(0, len(ranked), MOST_SIMULATED):
            yield ranked[start : start + MOST_SIMULATED]
        cheapest = [own for _, own in sorted(self._rough_costs) if own not in ranked]
        yield cheapest[:MOST_SIMULATED]

    @cached_property
    def _rough_costs(self) -> list[tuple[float, list[str]]]:
        """Of every valid candidate, from the cost of an epoch in one search of the largest.

        Smaller ones may not fill the fleet, and then cost more by the epoch: a search that cannot
        fit is found by its simulation, one that is dropped here is not.
        """
        spaces = [(own, self._try(own)) for own in map(self._overrides, grid(self._base))]
        epochs = [(rough_epochs(space), own) for own, space in spaces if space is not None]
        (search,) = self._simulator.run(self._jobs(max(epochs)[1], 1, self._screening))
        per_epoch = self._budget.spent(search) / max(1, search.epochs)
        return [(rough * per_epoch, own) for rough, own in epochs]

    def _overrides(self, candidate: Candidate) -> list[str]:
        equal = self._base.compare.allocation == "equal"
        return candidate.overrides(len(self._base.compare.arms) if equal else 1)

    def _try(self, overrides: Sequence[str]) -> SearchSpace | None:
        """The space with these settings; None where they are not valid for it."""
        try:
            return self._spaces(overrides)
        except SpaceError:
            return None
