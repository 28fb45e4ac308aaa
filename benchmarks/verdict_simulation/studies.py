"""Level 1: many studies at once, in arrays: sampled, stopped by ASHA, chosen, confirmed.

Arrays begin with (h, s): splits, and studies on each split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdict_simulation.surface import POINT, Floats, Splits, Surface, climb, snapped

EPOCHS = 20
GRACE = 2
FACTOR = 3
#: Epochs at which ASHA compares; as in Ray, grace times powers of the factor.
RUNGS = (2, 6, 18)
#: Standard deviation of a validation score from epoch to epoch.
EPOCH_NOISE = 0.4 * POINT
#: Share of trials sampled at random; the others near the best so far.
RANDOM_SHARE = 0.25
#: Standard deviation of a proposal around the best so far, in the unit cube.
_STEP = 0.15


@dataclass(frozen=True, kw_only=True)
class Studies:
    """What studies end with.

    Attributes:
        expected: test score of the chosen configuration, expected over seeds (h, s).
        scores: test scores of its confirmation runs (h, s, k).
        optimism: best validation value minus the worth that it stands for (h, s).
        stopped: share of trials that ASHA stopped.
    """

    expected: Floats
    scores: Floats
    optimism: Floats
    stopped: float


def run_studies(
    surface: Surface,
    splits: Splits,
    rng: np.random.Generator,
    *,
    studies: int,
    trials: int,
    seeds: int,
    seed_spread: float,
) -> Studies:
    """Studies of one arm: ``studies`` on each split, of ``trials`` trials, ``seeds`` runs each.

    Args:
        seed_spread: standard deviation of the score between runs of one configuration; the same
            in trials, which are run once, and in confirmation.
    """
    h = splits.test.shift.size
    rungs = Rungs(h, studies, trials)
    best_x = np.full((h, studies, 3), 0.5)
    best_value = np.full((h, studies), -np.inf)
    for trial in range(trials):
        x = _propose(best_x, trial, rng)
        seed = rng.normal(0.0, seed_spread, (h, studies))
        level = surface.worth(x) + splits.validation.at(x) + seed
        noise = rng.normal(0.0, EPOCH_NOISE, (h, studies, EPOCHS))
        curve = level[..., None] - climb(x, EPOCHS) + noise
        reached = np.maximum.accumulate(curve, axis=-1)
        lives = rungs.enter(trial, reached)
        better = lives & (reached[..., -1] > best_value)
        best_x[better] = x[better]
        best_value[better] = reached[..., -1][better]
    expected = surface.worth(best_x) + splits.test.at(best_x)
    runs = rng.normal(0.0, seed_spread, (h, studies, seeds))
    known = surface.worth(best_x) + splits.validation.shift[:, None]
    return Studies(
        expected=expected,
        scores=expected[..., None] + runs,
        optimism=best_value - known,
        stopped=rungs.stopped / (h * studies * trials),
    )


def _propose(best: Floats, trial: int, rng: np.random.Generator) -> Floats:
    """Configurations (h, s, 3): the first two at random, later ones mostly near the best."""
    anywhere = rng.uniform(size=best.shape)
    near = best + rng.normal(0.0, _STEP, best.shape)
    at_random = (trial < 2) | (rng.uniform(size=(*best.shape[:2], 1)) < RANDOM_SHARE)
    return snapped(np.where(at_random, anywhere, near))


class Rungs:
    """ASHA on its own rungs in every study (Li et al. 2020), trials one after the other."""

    def __init__(self, h: int, studies: int, trials: int) -> None:
        self._seen = np.full((len(RUNGS), h, studies, trials), np.nan)
        self.stopped = 0

    def enter(self, trial: int, reached: Floats) -> NDArray[np.bool_]:
        """Enters best values so far (h, s, epochs); True where the trial runs to its end.

        A trial is stopped below the upper third of those that reached the rung before it.
        """
        lives = np.full(reached.shape[:2], True)
        for seen, epoch in zip(self._seen, RUNGS, strict=True):
            value = reached[..., epoch - 1]
            cutoff = quantile(seen[..., :trial], 1 - 1 / FACTOR)
            seen[..., trial] = np.where(lives, value, np.nan)
            lives &= ~(value < cutoff)
        self.stopped += int((~lives).sum())
        return lives


def quantile(values: Floats, share: float) -> Floats:
    """Quantile over the last axis without NaN, interpolated: (..., n) to (...); NaN of none."""
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)  # NaN last
    place = share * np.maximum(np.isfinite(values).sum(axis=-1) - 1, 0)
    low = np.floor(place).astype(np.int64)[..., None]
    below = np.take_along_axis(ordered, low, axis=-1)[..., 0]
    above = np.take_along_axis(ordered, np.ceil(place).astype(np.int64)[..., None], axis=-1)[..., 0]
    found: Floats = below + (place - low[..., 0]) * (above - below)
    return found
