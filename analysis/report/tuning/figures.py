"""Tuning curve and anytime curve as figures with their data."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TypeVar

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis import formats
from analysis.report.presentation.blocks import Picture
from analysis.report.presentation.cells import Form
from analysis.report.presentation.plotting import GREY, Look, looks, panels
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.tuning.schema import Course, Spending, SpendingArm, TuningCurve

#: Up to this many arms share one pair of axes; with more, each has its own.
_OVERLAID = 3
#: Costs from this many seconds are shown in hours.
_LONG = 7200.0
#: Room above and below the curves, as a share of their range; a band may leave it.
_ROOM = 0.35

Drawn = TypeVar("Drawn")
#: What shares a pair of axes: arms by name.
Groups = Sequence[Sequence[tuple[str, object]]]


def curve_picture(report: Report) -> Picture | None:
    """Median best of n random trials with its band, per arm."""
    drawn = [(arm.arm, arm.curve) for arm in report.tuning.arms if arm.curve]
    if not drawn:
        return None
    styles = looks(report)
    unit = report.tuning.unit.removesuffix(", 0 to 1")

    def paint(figure: Figure) -> None:
        groups = _groups(drawn)
        limits = _limits([curve.median for _, curve in drawn])
        axes_of = list(panels(figure, len(groups), across=_across(groups), sharey=True))
        for group, axes in zip(groups, axes_of, strict=True):
            for arm, curve in group:
                _curve(axes, curve, styles[arm])
            axes.set_ylim(limits)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _finish(axes_of, groups, "random trials, n", f"best of n, {unit}")
        handles: list[Artist] = _arm_handles(groups, styles)
        handles.append(Patch(color=GREY, alpha=0.3, lw=0, label="simultaneous 95 % band"))
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)

    heads: dict[str, Form] = {
        "arm": str,
        "n": formats.count,
        "median": formats.score,
        "low": formats.score,
        "high": formats.score,
        "mean, U": formats.score,
        "mean, V": formats.score,
    }
    rows = [
        [arm, *cells]
        for arm, curve in drawn
        for cells in zip(
            curve.best_of,
            *(curve.median, curve.low, curve.high, curve.expected_u, curve.expected_v),
            strict=True,
        )
    ]
    return picture(
        "tuning-curve",
        "Median best of n random trials",
        "Median score of the best of n random trials, against n; a line and marker per arm, with "
        "its simultaneous 95 % band.",
        _size(drawn),
        paint,
        data=value_table("tuning-curve-data", "Best of n random trials", heads, rows),
    )


def spending_picture(report: Report) -> Picture | None:
    """Best validation score so far against cost: studies thin, their median thick."""
    spending = report.tuning.spending
    drawn = [(arm.arm, arm) for arm in spending.arms if arm.median.cost]
    if not drawn:
        return None
    styles = looks(report)
    scale, unit = _costs(spending)

    def paint(figure: Figure) -> None:
        groups = _groups(drawn)
        axes_of = list(
            panels(figure, len(groups), across=_across(groups), sharey=True, sharex=True)
        )
        for group, axes in zip(groups, axes_of, strict=True):
            for arm, found in group:
                _course(axes, found, styles[arm], scale)
            axes.set_xlim(0, 1.03 * _longest(spending) / scale)
        _finish(axes_of, groups, f"{unit} per study", f"best {spending.unit}")
        handles: list[Artist] = _arm_handles(groups, styles)
        if any(len(found.studies) > 1 for _, found in drawn):
            handles += [
                Line2D([], [], color=INK, lw=0.8, label="one study"),
                Line2D([], [], color=INK, lw=2.6, label="median of the studies"),
            ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)

    heads: dict[str, Form] = {
        "arm": str,
        "study": str,
        unit: formats.hours,
        "best so far": formats.score,
    }
    rows = [
        [arm, name, cost / scale, best]
        for arm, found in drawn
        for name, steps in _lines(found)
        for cost, best in zip(steps.cost, steps.best, strict=True)
    ]
    return picture(
        "tuning-spending",
        "Best validation score against cost",
        f"The best {spending.unit} so far, against {unit}; a thin line per study and a thick "
        "one for the median over an arm's studies, up to the end of its cheapest study.",
        _size(drawn),
        paint,
        data=value_table("tuning-spending-data", "Best so far, at each improvement", heads, rows),
    )


def _groups(drawn: Sequence[tuple[str, Drawn]]) -> list[list[tuple[str, Drawn]]]:
    return [list(drawn)] if len(drawn) <= _OVERLAID else [[arm] for arm in drawn]


def _finish(axes_of: Sequence[Axes], groups: Groups, below: str, beside: str) -> None:
    """Grid, titles where arms have their own axes, and labels along the outer edge alone."""
    across = _across(groups)
    for number, (group, axes) in enumerate(zip(groups, axes_of, strict=True)):
        axes.grid(axis="y")
        if len(groups) > 1:
            axes.set_title(group[0][0])
        if number % across == 0:
            axes.set_ylabel(beside)
        if number + across >= len(groups):
            axes.set_xlabel(below)


def _arm_handles(groups: Groups, styles: dict[str, Look]) -> list[Artist]:
    """Entries of a legend, where titles do not name the arms."""
    if len(groups) > 1:
        return []
    return [_handle(arm, styles[arm]) for arm, _ in groups[0]]


def _across(groups: Groups) -> int:
    return min(3, len(groups))


def _size(drawn: Sequence[tuple[str, object]]) -> tuple[float, float]:
    groups = _groups(drawn)
    return (9.5, 4.2) if len(groups) == 1 else (9.5, 0.8 + 2.7 * ceil(len(groups) / 3))


def _limits(curves: Sequence[Sequence[float]]) -> tuple[float, float]:
    low, high = min(min(c) for c in curves), max(max(c) for c in curves)
    room = max(_ROOM * (high - low), 0.01)
    return max(0.0, low - room), min(1.0, high + room)


def _curve(axes: Axes, curve: TuningCurve, style: Look) -> None:
    n = curve.best_of
    axes.fill_between(n, curve.low, curve.high, color=style.colour, alpha=0.14, lw=0)
    for edge in (curve.low, curve.high):
        axes.plot(n, edge, color=style.colour, ls=style.dash, lw=0.8, alpha=0.8)
    axes.plot(
        n,
        curve.median,
        color=style.colour,
        ls=style.dash,
        marker=style.marker,
        ms=5,
        lw=2,
        mew=0,
        markevery=max(1, len(n) // 12),
    )


def _course(axes: Axes, arm: SpendingArm, style: Look, scale: float) -> None:
    several = len(arm.studies) > 1
    for study in arm.studies if several else []:
        cost = [c / scale for c in study.cost]
        axes.plot(cost, study.best, color=style.colour, lw=0.8, alpha=0.6, drawstyle="steps-post")
    middle = arm.median
    axes.plot(
        [c / scale for c in middle.cost],
        middle.best,
        color=style.colour,
        ls=style.dash,
        marker=style.marker,
        ms=5,
        mew=0,
        lw=2.6,
        drawstyle="steps-post",
        markevery=max(1, len(middle.cost) // 12),
    )


def _lines(arm: SpendingArm) -> list[tuple[str, Course]]:
    studies: list[tuple[str, Course]] = [(str(s.replicate), s) for s in arm.studies]
    return studies if len(studies) == 1 else [*studies, ("median", arm.median)]


def _costs(spending: Spending) -> tuple[float, str]:
    """Seconds per unit of the axis, and the unit's name."""
    resource = spending.resource
    long = _longest(spending) >= _LONG
    return (3600.0, f"{resource}-hours") if long else (60.0, f"{resource}-minutes")


def _longest(spending: Spending) -> float:
    """Seconds that the costliest study took."""
    costs = (c for arm in spending.arms for s in arm.studies for c in s.cost[-1:])
    return float(max(costs))


def _handle(arm: str, style: Look) -> Line2D:
    return Line2D(
        [], [], color=style.colour, ls=style.dash, marker=style.marker, lw=2, ms=6, mew=0, label=arm
    )
