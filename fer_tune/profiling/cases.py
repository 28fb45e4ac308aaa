"""Which configurations of a search space are measured. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fer_tune.space import SearchSpace

_AXES = ("crop_size", "unfreeze_depth", "batch_size")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What decides the memory and the speed of a trial."""

    arm: str
    crop_size: int
    unfreeze_depth: int
    batch_size: int

    @property
    def shape(self) -> dict[str, int]:
        return {axis: getattr(self, axis) for axis in _AXES}


def cases(space: SearchSpace, most: int) -> list[Case]:
    """At most ``most`` cases, the corners of every arm's space first.

    The largest crop, depth and batch need the most memory, and the smallest leave the GPU idle
    most; both are among the corners.
    """
    corners: list[Case] = []
    rest: list[Case] = []
    for arm in space.compare.arms:
        values = [[int(value) for value in space.few_values(arm, axis)] for axis in _AXES]
        ends = {combination for combination in itertools.product(*map(_ends, values))}
        for combination in itertools.product(*values):
            crop, depth, batch = combination
            case = Case(arm=arm, crop_size=crop, unfreeze_depth=depth, batch_size=batch)
            (corners if combination in ends else rest).append(case)
    left = max(0, most - len(corners))
    return [*_spread(corners, most), *_spread(rest, left)]


def _ends(values: Sequence[int]) -> tuple[int, int]:
    return values[0], values[-1]


def _spread(found: Sequence[Case], most: int) -> Iterator[Case]:
    """At most ``most`` of them, evenly over their order."""
    count = min(most, len(found))
    return (found[index * len(found) // count] for index in range(count))
