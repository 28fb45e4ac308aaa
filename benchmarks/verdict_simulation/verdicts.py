"""Level 1: studies dealt into searches, each judged by the analysis.

The searches of one split share its validation and test pictures, so rates over searches are not
of independent draws: Monte-Carlo standard errors are over splits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.estimators.superiority import wins
from analysis.estimators.welch import difference_interval
from analysis.verdict.decision import decide
from benchmarks.verdict_simulation.studies import Studies, run_studies
from benchmarks.verdict_simulation.surface import POINT, Floats, Splits, Surface

#: Trials of an arm, dealt into its studies.
TRIALS = 40
#: Searches on one split.
PER_SPLIT = 50
#: Studies per split from which the true difference is taken, apart from those that are judged.
TRUTH_STUDIES = 1000
#: True differences, in points. Zero is of identical arms.
EFFECTS = (0.0, 1.0, 3.0)
SEED_SPREADS = (0.3, 0.6, 1.5)
#: Steepness of arm A's surface by the name of the search luck that it makes.
LUCK = {"small": 0.03, "large": 0.15}

#: Every rate has one value per split.
Rates = dict[str, Floats]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Studies per arm and confirmation seeds per study."""

    studies: int
    seeds: int

    @property
    def name(self) -> str:
        return f"R = {self.studies}, K = {self.seeds}"

    @property
    def trials(self) -> int:
        """Of one study."""
        return TRIALS // self.studies


DESIGNS = tuple(Design(studies=r, seeds=k) for r, k in ((1, 5), (1, 10), (5, 2), (8, 2), (10, 1)))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One design under one luck of the search and one spread of seeds, in points."""

    design: Design
    luck: str
    seed_spread: float

    def arms(self) -> tuple[Surface, Surface]:
        """Arm A, and arm B that differs from it: steeper, best elsewhere."""
        steepness = LUCK[self.luck]
        return (
            Surface(steepness=steepness),
            Surface(steepness=1.4 * steepness, best=(0.45, 0.6, 0.55), tilt=0.2),
        )

    def run(
        self, surface: Surface, splits: Splits, rng: np.random.Generator, studies: int, seeds: int
    ) -> Studies:
        return run_studies(
            surface,
            splits,
            rng,
            studies=studies,
            trials=self.design.trials,
            seeds=seeds,
            seed_spread=self.seed_spread * POINT,
        )

    def judged(self, surface: Surface, splits: Splits, rng: np.random.Generator) -> Studies:
        """The studies of one arm for :data:`PER_SPLIT` searches on each split."""
        wanted = PER_SPLIT * self.design.studies
        return self.run(surface, splits, rng, wanted, self.design.seeds)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What comes of one setting.

    Attributes:
        rates: by effect: ``excluded`` (zero), ``covered`` (the difference of the whole procedure
            on this split), ``covered_found`` (that of the configurations found),
            ``covered_anywhere`` (that of the procedure over all splits), and the verdicts, where
            ``wrong`` is ``better`` for an arm that is not.
        luck: standard deviation between studies of the chosen configuration's expected score.
        level: expected test score of what a study ends with.
        optimism: best validation value minus the chosen trial's worth.
        stopped: share of trials that ASHA stopped.
    """

    setting: Setting
    rates: Mapping[float, Rates]
    luck: float
    level: float
    optimism: float
    stopped: float


def rate(values: Floats) -> tuple[float, float]:
    """A rate and its Monte-Carlo standard error, from its values by split (h,)."""
    return float(values.mean()), float(values.std(ddof=1) / values.size**0.5)


def settings() -> Iterator[Setting]:
    """Every design under every luck and spread."""
    for luck in LUCK:
        for spread in SEED_SPREADS:
            for design in DESIGNS:
                yield Setting(design=design, luck=luck, seed_spread=spread)


def simulate(
    setting: Setting,
    searches: int,
    rng: np.random.Generator,
    *,
    truth_studies: int = TRUTH_STUDIES,
) -> Cell:
    """``searches`` searches (a multiple of 50) of identical arms, and as many of each effect.

    Nothing in the model is out of proportion: raising the top of an arm raises its results by
    just as much. So one simulation of two different arms serves all effects, arm A raised until
    the difference over all splits is the effect.
    """
    a, b = setting.arms()
    h = _splits(searches)
    splits = Splits.draw(h, rng)
    first, twin, other = (setting.judged(arm, splits, rng) for arm in (a, a, b))
    truth = [setting.run(arm, splits, rng, truth_studies, 1).expected for arm in (a, b)]
    here: Floats = truth[0].mean(axis=1) - truth[1].mean(axis=1)
    none = np.zeros(h)
    rates = {0.0: _judge(setting.design, first, twin, here=none, anywhere=0.0, raised=none)}
    for effect in EFFECTS[1:]:
        raised = np.full(h, effect * POINT - here.mean())
        rates[effect] = _judge(
            setting.design, first, other, here=here + raised, anywhere=effect * POINT, raised=raised
        )
    return Cell(
        setting=setting,
        rates=rates,
        luck=float(np.sqrt(first.expected.var(axis=1, ddof=1).mean())),
        level=float(truth[0].mean()),
        optimism=float(first.optimism.mean()),
        stopped=first.stopped,
    )


def suiting_pictures(
    setting: Setting, shift: float, searches: int, rng: np.random.Generator
) -> Rates:
    """Arms that are equal over all pictures, while those of a test split happen to suit one.

    Args:
        shift: standard deviation, in points, of what a test split adds to one arm alone.
    """
    a, _ = setting.arms()
    h = _splits(searches)
    splits = Splits.draw(h, rng)
    first, twin = (setting.judged(a, splits, rng) for _ in range(2))
    raised = rng.normal(0.0, shift * POINT, h)
    return _judge(setting.design, first, twin, here=raised, anywhere=0.0, raised=raised)


def _splits(searches: int) -> int:
    assert searches % PER_SPLIT == 0 and searches >= 2 * PER_SPLIT, "whole splits, two or more"
    return searches // PER_SPLIT


def _judge(
    design: Design, a: Studies, b: Studies, *, here: Floats, anywhere: float, raised: Floats
) -> Rates:
    """Rates by split of searches that compare studies ``a``, raised by so much, with ``b``.

    Args:
        here: true difference on each split (h,). anywhere: over all splits.
        raised: by split (h,).
    """
    names = (*_COUNTED, *_VERDICTS)
    found: Rates = {name: np.zeros(here.size) for name in names}
    for split, true in enumerate(here):
        counts: Counter[str] = Counter()
        for units_a, units_b, expected in _searches(design, a, b, split, float(raised[split])):
            counts.update(_outcome(units_a, units_b, expected, float(true), anywhere))
        for name in names:
            found[name][split] = counts[name] / PER_SPLIT
    return found


_COUNTED = ("excluded", "covered", "covered_found", "covered_anywhere")
_VERDICTS = ("better", "wrong", "small", "inconclusive")


def _searches(
    design: Design, a: Studies, b: Studies, split: int, raised: float
) -> Iterator[tuple[Floats, Floats, float]]:
    """Units of both arms, and the expected difference of the configurations found."""
    shape = (PER_SPLIT, design.studies, design.seeds)
    scores = [arm.scores[split].reshape(shape) for arm in (a, b)]
    expected = [arm.expected[split].reshape(shape[:2]).mean(axis=1) for arm in (a, b)]
    # A seed is the unit of a single study, otherwise the study's mean over its seeds.
    units = [s[:, 0, :] if design.studies == 1 else s.mean(axis=2) for s in scores]
    for n in range(PER_SPLIT):
        yield units[0][n] + raised, units[1][n], float(expected[0][n] - expected[1][n]) + raised


def _outcome(a: Floats, b: Floats, found: float, here: float, anywhere: float) -> Iterator[str]:
    """The names of all that holds for one search."""
    difference = difference_interval(a, b).estimate
    if not difference.covers(0.0):
        yield "excluded"
    for name, true in (
        ("covered", here),
        ("covered_found", found),
        ("covered_anywhere", anywhere),
    ):
        if difference.covers(true):
            yield name
    ahead = (a, b) if difference.value >= 0 else (b, a)
    kind, _ = decide(
        broken=False,
        difference=difference_interval(*ahead).estimate,
        superiority=float(wins(*ahead)),
    )
    wrong = kind == "better" and (anywhere == 0 or difference.value < 0)
    yield "wrong" if wrong else kind
