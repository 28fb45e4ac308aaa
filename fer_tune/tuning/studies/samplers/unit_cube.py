"""Configurations as points of the unit cube, and back.

A range of real numbers is stretched to [0, 1], by its logarithm where it is sampled so. Whole
numbers and choices share [0, 1) evenly among their values (whole numbers with a logarithm by it),
so that uniform points give uniform values; a value is placed in the middle of its part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Floats = NDArray[np.float64]


def to_cube(known: Mapping[str, BaseDistribution], params: Mapping[str, Any]) -> Floats:
    """(parameters,): the point of a configuration, in the order of ``known``."""
    return np.array([_place(distribution, params[name]) for name, distribution in known.items()])


def from_cube(known: Mapping[str, BaseDistribution], point: Floats) -> dict[str, Any]:
    """The configuration at a point; coordinates outside [0, 1] are clipped."""
    return {
        name: _value(distribution, min(max(float(u), 0.0), 1.0))
        for (name, distribution), u in zip(known.items(), point, strict=True)
    }


def _place(distribution: BaseDistribution, value: Any) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return (distribution.to_internal_repr(value) + 0.5) / len(distribution.choices)
    low, high = _bounds(distribution)
    if isinstance(distribution, IntDistribution) and not distribution.log:
        index = (value - distribution.low) / distribution.step
        return float((index + 0.5) / _count(distribution))
    number = math.log(value) if _has_log(distribution) else float(value)
    return (number - low) / (high - low)


def _value(distribution: BaseDistribution, u: float) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        return choices[min(int(u * len(choices)), len(choices) - 1)]
    low, high = _bounds(distribution)
    number = low + u * (high - low)
    if isinstance(distribution, IntDistribution):
        if distribution.log:
            return min(max(round(math.exp(number)), distribution.low), distribution.high)
        count = _count(distribution)
        return distribution.low + distribution.step * min(int(u * count), count - 1)
    assert isinstance(distribution, FloatDistribution)
    value = math.exp(number) if distribution.log else number
    return min(max(value, distribution.low), distribution.high)


def _bounds(distribution: BaseDistribution) -> tuple[float, float]:
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = float(distribution.low), float(distribution.high)
    if not distribution.log:
        return low, high
    if isinstance(distribution, IntDistribution):
        low, high = low - 0.5, high + 0.5
    return math.log(low), math.log(high)


def _has_log(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log


def _count(distribution: IntDistribution) -> int:
    return (distribution.high - distribution.low) // distribution.step + 1
