"""Level 2: whole searches, each judged from its results folder by the analysis."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import analysis
from analysis.inputs.pictures import score_pictures
from analysis.settings import Settings
from analysis.verdict.compare import Pair, compare
from benchmarks.verdict_simulation.folders import write_search
from benchmarks.verdict_simulation.real import Driver
from benchmarks.verdict_simulation.world import World, make_space
from fer_tune.records import ELIGIBLE
from fer_tune.space import SearchSpace

#: Trials of a search, all arms and studies together.
TRIALS = 80


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Searches of one kind.

    Attributes:
        arms: share of wrong training labels by name.
        searches: how many, by default.
        seed: of the first search; each scenario has a range of its own.
    """

    name: str
    arms: dict[str, float]
    replicates: int
    seeds: int
    searches: int
    seed: int

    def space(self, number: int) -> SearchSpace:
        """Of search ``number``, from 0."""
        return make_space(
            self.arms,
            seed=self.seed + number,
            trials=TRIALS,
            replicates=self.replicates,
            seeds=self.seeds,
        )


_TWINS = {"first": 0.0, "second": 0.0}
AA = Scenario(name="A/A, families", arms=_TWINS, replicates=5, seeds=2, searches=200, seed=100_000)
AA_ONE_STUDY = Scenario(
    name="A/A, one study per arm", arms=_TWINS, replicates=1, seeds=5, searches=100, seed=200_000
)
PLANTED = Scenario(
    name="planted, 10 % of labels wrong",
    arms={"clean": 0.0, "noisy": 0.1},
    replicates=5,
    seeds=2,
    searches=50,
    seed=300_000,
)
PLANTED_SMALL = Scenario(
    name="planted, 3 % of labels wrong",
    arms={"clean": 0.0, "noisy": 0.03},
    replicates=5,
    seeds=2,
    searches=50,
    seed=400_000,
)
SCENARIOS = (AA, AA_ONE_STUDY, PLANTED, PLANTED_SMALL)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The pair of one search, turned so that the first-named arm comes first.

    Attributes:
        value, low, high: of the difference, first-named arm minus the other.
    """

    kind: str
    winner: str
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, pair: Pair, first: str) -> Outcome:
        difference = pair.difference
        assert difference is not None and difference.low is not None, "every run has a score"
        assert difference.high is not None
        low, high = difference.low, difference.high
        turned = pair.first != first
        return cls(
            kind=pair.kind,
            winner=pair.first,
            value=-difference.value if turned else difference.value,
            low=-high if turned else low,
            high=-low if turned else high,
        )

    def covers(self, value: float) -> bool:
        return self.low <= value <= self.high


def judge(folder: Path, first: str) -> Outcome:
    """The one pair of a results folder, as the report would have it."""
    search = analysis.load(folder)
    (pair,) = compare(search, score_pictures(search), Settings())
    return Outcome.of(pair, first)


def outcomes(scenario: Scenario, searches: int) -> Iterator[Outcome]:
    """Searches of a scenario, each written to a folder, judged and removed."""
    for number in range(searches):
        with tempfile.TemporaryDirectory() as folder:
            write_search(scenario.space(number), Path(folder))
            yield judge(Path(folder), next(iter(scenario.arms)))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What many searches of one scenario came to; shares in [0, 1].

    Attributes:
        true: difference of the whole procedure, mean over the searches, with standard error.
        covered: of the intervals, by how many the mean difference of all *other* searches is
            held; for arms without a difference, zero.
        verdicts: how often each was given. wrong: ``better`` for an arm that is not.
    """

    scenario: Scenario
    searches: int
    true: tuple[float, float]
    excluded: float
    covered: float
    wrong: float
    verdicts: Counter[str]

    @classmethod
    def of(cls, scenario: Scenario, found: Sequence[Outcome]) -> Summary:
        n = len(found)
        values = np.array([one.value for one in found])
        twins = len(set(scenario.arms.values())) == 1
        others = np.zeros(n) if twins else (values.sum() - values) / (n - 1)
        best = None if twins else min(scenario.arms, key=scenario.arms.__getitem__)
        return cls(
            scenario=scenario,
            searches=n,
            true=(float(values.mean()), float(values.std(ddof=1) / n**0.5)),
            excluded=sum(not one.covers(0.0) for one in found) / n,
            covered=sum(one.covers(t) for one, t in zip(found, others, strict=True)) / n,
            wrong=sum(one.kind == "better" and one.winner != best for one in found) / n,
            verdicts=Counter(one.kind for one in found),
        )


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Two identical arms in one shared study (``compare.allocation: sampled``), study by study.

    Attributes:
        larger: share of the trials that went to the arm with more of them.
        luckier: of these studies, share in which that arm has the best trial.
    """

    studies: int
    larger: tuple[float, float]
    luckier: tuple[float, float]


def shared_studies(studies: int) -> Shared:
    """What a study that samples the arm itself does to arms without any difference."""
    shares, held = np.zeros(studies), np.zeros(studies)
    for number in range(studies):
        shares[number], held[number] = _shared(500_000 + number)
    return Shared(studies=studies, larger=_mean(shares), luckier=_mean(held))


def _shared(seed: int) -> tuple[float, float]:
    space = make_space(
        _TWINS, seed=seed, trials=TRIALS, replicates=1, seeds=2, allocation="sampled"
    )
    with tempfile.TemporaryDirectory() as folder:
        ended = Driver(space, World.draw(seed), Path(folder)).search()
    counts = Counter(one.assignment.arm for one in ended)
    larger, number = counts.most_common(1)[0]
    able = [one for one in ended if one.reason in ("completed", *ELIGIBLE)]
    best = max(able, key=lambda one: one.curve.score)
    tie = 2 * number == len(ended)
    return number / len(ended), 0.5 if tie else float(best.assignment.arm == larger)


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / values.size**0.5)
