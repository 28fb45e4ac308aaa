"""The independent units of an arm's test score.

With one study per arm a seed is the unit, and the estimate applies to the configuration found.
With several, a study is the unit and its value the mean over its seeds: seeds of one
configuration share the luck of its choice, and treating them as independent finds differences
between identical arms in 7 to 57 % of simulated searches instead of 5 %. This applies from two
studies on; a claim about families needs :data:`FAMILIES`.

Source: Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", MLSys 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.estimators.estimate import Floats
from analysis.inputs.search import Search, Unit

#: Studies per arm from which the verdict may be about the families.
FAMILIES = 5
#: Seeds per arm that a comparison needs where the seed is the unit: an interval over fewer rests
#: on its assumption of normal scores more than on the scores.
SEEDS_NEEDED = 5
#: Seeds per study that are recommended where the study is the unit.
SEEDS_PER_STUDY = 2


@dataclass(frozen=True, kw_only=True)
class Units:
    """Scores of one arm.

    Attributes:
        kind: ``study`` or ``seed``.
        labels: replicate or seed numbers (n,).
        values: one score per unit (n,), in [0, 1].
        runs: one score per confirmation run (r,), r >= n.
    """

    kind: Unit
    labels: tuple[int, ...]
    values: Floats
    runs: Floats

    @property
    def n(self) -> int:
        return len(self.labels)


def arm_units(search: Search, arm: str, column: str = "test_macro_f1") -> Units:
    """Units of ``arm`` from a test column of its confirmation runs with a score."""
    table = search.confirmations
    runs = table[(table["arm"] == arm) & table[column].notna()]
    key = "replicate" if search.unit == "study" else "seed"
    means = runs.groupby(key)[column].mean()
    return Units(
        kind=search.unit,
        labels=tuple(int(label) for label in means.index),
        values=np.asarray(means, dtype=np.float64),
        runs=np.asarray(runs[column], dtype=np.float64),
    )
