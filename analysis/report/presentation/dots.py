"""Estimates with intervals side by side: a group per category, a position in it per arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.report.presentation.plotting import Look
from analysis.report.presentation.svg import INK

#: Share of a category's width that its dots spread over.
_SPREAD = 0.64


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One estimate.

    Attributes:
        category, arm: its group and its place therein, from 0.
        value: None if it was not reached and lies above the axis.
        low, high: of the interval, None where there is no such end.
        open_above: the interval has no upper end.
    """

    category: int
    arm: int
    value: float | None
    low: float | None
    high: float | None
    open_above: bool = False


def draw_dots(
    axes: Axes,
    dots: Sequence[Dot],
    looks: Sequence[Look],
    categories: Sequence[str],
    *,
    ceiling: float,
) -> None:
    """Dots with their intervals; an interval that is open above ends in an arrow at ``ceiling``.

    A value that was not reached has a hollow marker there.
    """
    for dot in dots:
        style = looks[dot.arm]
        place = dot.category + (dot.arm - (len(looks) - 1) / 2) * _SPREAD / len(looks)
        top = ceiling if dot.open_above else dot.high
        if dot.low is not None and top is not None:
            axes.plot([place] * 2, [dot.low, top], color=style.colour, lw=2)
        if dot.open_above:
            axes.plot([place], [ceiling], marker=6, ms=6, color=style.colour, mew=0)
        hollow = {"mfc": "none", "mew": 1.4} if dot.value is None else {"mew": 0}
        height = ceiling if dot.value is None else dot.value
        axes.plot([place], [height], style.marker, ms=7, color=style.colour, **hollow)
    axes.set_xticks(range(len(categories)), categories)
    axes.set_xlim(-0.5, len(categories) - 0.5)
    axes.tick_params(axis="x", length=0)
    for edge in range(1, len(categories)):
        axes.axvline(edge - 0.5, color=INK, lw=0.6, alpha=0.2)
    axes.grid(axis="y")


def arm_handles(arms: Sequence[str], looks: Sequence[Look]) -> list[Line2D]:
    """Entries of a legend: each arm's colour and marker."""
    return [
        Line2D([], [], color=style.colour, marker=style.marker, lw=2, ms=7, mew=0, label=arm)
        for arm, style in zip(arms, looks, strict=True)
    ]
