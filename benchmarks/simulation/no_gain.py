"""What `stop_when: no_gain` saves, what it costs, and what it does to the verdict, by simulation.

    python -m benchmarks.simulation.no_gain --searches 200

Two identical arms: one response surface of a formula (``fer_tune.simulation.analytic``), another
one for every search. Each search is simulated twice, to the end of its budget and with the rule,
by the searcher, rungs, stopper and audit of real searches. A planted difference is added to the
test scores of one arm.

Printed per setting, as a Markdown row: searches that the rule ended, trials and epochs saved, what
the choices lost on test (points, mean over arms), what the trials left out would have gained on
validation where the rule ended the search (points, mean over studies), searches whose interval
excludes zero between identical arms, and those that are `better` by a planted difference; the last
two without and with the rule, in per cent, ± the standard error.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from analysis.estimators.superiority import wins
from analysis.estimators.welch import difference_interval
from analysis.verdict.decision import decide
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.simulation.world import Course, Floats
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment, derive_seed

ARMS = ("first", "second")
#: Planted difference of test scores.
PLANTED = 0.015
POINT = 0.01


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Sampler, studies per arm, seeds per study, trials per study, and the spread between seeds."""

    sampler: str = "tpe"
    replicates: int
    seeds: int
    trials: int
    noise: float

    @property
    def name(self) -> str:
        sizes = f"{self.replicates} | {self.seeds} | {self.trials}"
        return f"{self.sampler} | {sizes} | {self.noise / POINT:.1f}"

    @property
    def has_choices(self) -> bool:
        """CMA-ES samples numbers alone."""
        return self.sampler != "cmaes"


SETTINGS = (
    Setting(replicates=1, seeds=5, trials=60, noise=0.010),
    Setting(replicates=1, seeds=5, trials=60, noise=0.020),
    Setting(replicates=5, seeds=2, trials=24, noise=0.010),
    Setting(replicates=5, seeds=2, trials=24, noise=0.020),
    *(
        Setting(sampler=sampler, replicates=5, seeds=2, trials=20, noise=0.010)
        for sampler in ("random", "qmc", "cmaes", "gp", "cqr")
    ),
)


@dataclass(frozen=True, kw_only=True)
class Twins(AnalyticWorld):
    """Both arms have the same surface; runs of one seed share nothing but the seed."""

    def course(self, run: Assignment) -> Course:
        return super().course(replace(run, seed=derive_seed(run.seed, run.number)))

    def _surface(self, arm: str, size: int) -> tuple[Floats, Floats]:
        return super()._surface("twin", size)


def make_space(setting: Setting, seed: int, stop_when: str | None) -> SearchSpace:
    """Two names of one backbone; seven hyperparameters."""
    per_study = len(ARMS) * setting.replicates
    return SearchSpace.from_dict(
        {
            "name": "no_gain",
            "purpose": "Curves of a formula.",
            "compare": {
                "arms": dict.fromkeys(ARMS, "resnet18"),
                "replicates": setting.replicates,
            },
            "parameters": {
                "lr_head": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
                "lr_backbone": {"type": "float", "low": 1e-6, "high": 1e-2, "log": True},
                "weight_decay": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
                "unfreeze_depth": {"type": "int", "low": 0, "high": 4},
                "dropout": {"type": "float", "low": 0.0, "high": 0.5},
                "label_smoothing": {"type": "float", "low": 0.0, "high": 0.3},
                "crop_size": {"type": "choice", "values": [48, 64, 96]}
                if setting.has_choices
                else 64,
            },
            "sampler": setting.sampler,
            "budget": {"trials": setting.trials * per_study, "max_epochs": 12},
            "stop_when": stop_when,
            "seeds": {"search": seed},
            "weights": "none",
            "confirm": {"seeds": setting.seeds},
        }
    )


def units(search: SimulatedSearch, arm: str) -> Floats:
    """What the verdict compares: scores of seeds, or means of studies over theirs."""
    replicates, seeds = search.space.compare.replicates, search.space.confirm.seeds
    mine = [run for run in search.confirmations if run.assignment.arm == arm]
    mine.sort(key=lambda run: run.assignment.replicate)
    scores = np.array([run.test for run in mine]).reshape(replicates, seeds)
    return scores[0] if replicates == 1 else scores.mean(axis=1)


def judged(search: SimulatedSearch) -> tuple[bool, bool]:
    """Whether zero is excluded, and whether the first arm, raised, is `better`."""
    raised, other = (units(search, arm) for arm in ARMS)
    identical = difference_interval(raised, other).estimate
    raised = raised + PLANTED
    ahead = raised.mean() >= other.mean()
    high, low = (raised, other) if ahead else (other, raised)
    difference = difference_interval(high, low).estimate
    kind, _ = decide(broken=False, difference=difference, superiority=float(wins(high, low)))
    return not identical.covers(0.0), kind == "better" and bool(ahead)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One search with its whole budget, and the same with the rule."""

    whole: SimulatedSearch
    ruled: SimulatedSearch

    @property
    def is_ended(self) -> bool:
        return len(self.ruled.trials) < len(self.whole.trials)

    @property
    def lost(self) -> float:
        """On test, mean over arms."""
        ends = [np.mean([units(s, arm).mean() for arm in ARMS]) for s in (self.whole, self.ruled)]
        return float(ends[0] - ends[1])

    @property
    def gained(self) -> float:
        """By further trials on validation, mean over studies."""
        return _best(self.whole) - _best(self.ruled)


def _best(search: SimulatedSearch) -> float:
    found: dict[str, float] = {}
    for run in search.trials:
        if run.state in ("complete", "overfit"):
            study = run.assignment.study
            found[study] = max(run.best, found.get(study, -np.inf))
    return float(np.mean(list(found.values())))


def pairs(setting: Setting, searches: int) -> Iterator[Pair]:
    """Simulates every search twice, eight trials at a time."""
    for seed in range(searches):
        found = []
        for stop_when in (None, "no_gain"):
            space = make_space(setting, seed, stop_when)
            world = Twins(space=space, noise=setting.noise, wobble=0.8 * setting.noise, seed=seed)
            found.append(simulate(space, world, Fleet(gpus=8)))
        yield Pair(whole=found[0], ruled=found[1])


def row(setting: Setting, searches: int) -> str:
    """The row of a setting."""
    found = list(pairs(setting, searches))
    ended = [pair for pair in found if pair.is_ended]
    trials = 1 - sum(len(p.ruled.trials) for p in found) / sum(len(p.whole.trials) for p in found)
    epochs = 1 - sum(p.ruled.epochs for p in found) / sum(p.whole.epochs for p in found)
    cells = [
        f"{len(ended)} of {len(found)}",
        f"{trials:.0%}",
        f"{epochs:.0%}",
        _points([pair.lost for pair in found]),
        _points([pair.gained for pair in ended]),
    ]
    for which in (0, 1):
        for end in ("whole", "ruled"):
            cells.append(_rate([judged(getattr(pair, end))[which] for pair in found]))
    return f"| {setting.name} | " + " | ".join(cells) + " |"


def _points(values: list[float]) -> str:
    if len(values) < 2:
        return "–"
    spread = np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values) / POINT:.2f} ± {spread / POINT:.2f}"


def _rate(hits: list[bool]) -> str:
    share = float(np.mean(hits))
    return f"{100 * share:.1f} ± {100 * (share * (1 - share) / len(hits)) ** 0.5:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--searches", type=int, default=200, help="per setting")
    parser.add_argument("--setting", type=int, choices=range(len(SETTINGS)), help="this one alone")
    given = parser.parse_args()
    print(
        "| sampler | studies | seeds | trials | seed spread | ended | trials saved | epochs saved "
        "| lost on test | gained by the rest | zero excluded, whole | with the rule "
        "| planted, whole | with the rule |\n" + "|---" * 14 + "|"
    )
    for number, setting in enumerate(SETTINGS):
        if given.setting in (None, number):
            print(row(setting, given.searches), flush=True)


if __name__ == "__main__":
    main()
