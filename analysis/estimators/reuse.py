"""How often identical arms are called different when a test split is read more than once.

Both effects are simulated with Welch's test at the usual level, on scores of two arms that are
drawn from the same normal distribution. A pure function of its arguments: the generator is seeded.

======  ==================================================================
symbol  meaning
======  ==================================================================
K       confirmation seeds per study
R       studies per arm; with one, the seeds are the units
n       searches that read the same test split
======  ==================================================================

The effect of looking again after more data: Armitage, McPherson and Rowe, "Repeated significance
tests on accumulating data", J. R. Statist. Soc. A 132 (1969). That of trying again: 1 - 0.95^n for
independent tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.estimators.estimate import LEVEL, Floats

_SEED = 1969
_SEARCHES = 20_000
#: Scores of an arm that are drawn at most; with very many per search there are fewer searches.
_DRAWS = 4_000_000
#: Spread of the studies of an arm, in spreads of the seeds of one configuration: as simulated in
#: ``docs/statistics/verdict-rates.md`` for little luck.
STUDY_SPREAD = 0.6


@lru_cache(maxsize=64)
def raised_seeds_rate(stages: tuple[int, ...], studies: int = 1) -> float:
    """Share of searches in which one of several looks at identical arms excludes zero.

    Args:
        stages: K at each look, ascending, at least 2; all seeds of a look are part of the next.
        studies: R, 1 or more.
    """
    assert stages and min(stages) >= 2 and studies >= 1
    rng = np.random.default_rng(_SEED)
    count = max(1_000, min(_SEARCHES, _DRAWS // (studies * max(stages))))
    found = np.zeros(count, dtype=bool)
    shape = (2, count, studies)
    luck = STUDY_SPREAD * rng.standard_normal(shape) if studies > 1 else np.zeros(shape)
    seeds = luck[..., None] + rng.standard_normal((*shape, max(stages)))
    for looked_at in stages:
        seen = seeds[..., :looked_at]
        units = seen.mean(axis=-1) if studies > 1 else seen[:, :, 0]
        found |= excludes_zero(units[0], units[1])
    return float(found.mean())


@lru_cache(maxsize=64)
def searches_rate(searches: int, units: int = 5, shift: float = 0.0) -> float:
    """Share of series of n searches of identical arms in which at least one excludes zero.

    Args:
        searches: n, 1 or more.
        units: per arm in each search, 2 or more.
        shift: standard deviation of what the pictures of the test split favour one arm by, in
            spreads of a unit; the same in every search, as the split is.
    """
    assert searches >= 1 and units >= 2
    rng = np.random.default_rng(_SEED)
    favour = shift * rng.standard_normal(_SEARCHES)[:, None]
    found = np.zeros(_SEARCHES, dtype=bool)
    for _ in range(searches):
        first = favour + rng.standard_normal((_SEARCHES, units))
        found |= excludes_zero(first, rng.standard_normal((_SEARCHES, units)))
    return float(found.mean())


def excludes_zero(first: Floats, second: Floats, level: float = LEVEL) -> NDArray[np.bool_]:
    """Whether Welch's interval of each difference of means excludes zero (s,).

    Args:
        first, second: units of two arms in s searches, (s, n) and (s, m).
    """
    variances = [one.var(axis=1, ddof=1) / one.shape[1] for one in (first, second)]
    total = variances[0] + variances[1]
    freedom = total**2 / sum(
        part**2 / (one.shape[1] - 1) for part, one in zip(variances, (first, second), strict=True)
    )
    statistic = np.abs(first.mean(axis=1) - second.mean(axis=1)) / np.sqrt(total)
    excluded: NDArray[np.bool_] = statistic > stats.t.ppf((1 + level) / 2, freedom)
    return excluded


def stages_of(raised: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Numbers of seeds at which a verdict was seen, from (before, after) of each rise."""
    return tuple(sorted({number for pair in raised for number in pair}))
