"""Score against cost: test score of the arms, validation score of fully trained trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import formats
from analysis.report.cost.schema import CostArm, Fronts, TrialPoint
from analysis.report.presentation.blocks import Cell, Picture, Row, Table, columns, text
from analysis.report.presentation.cells import Form, cell, estimate
from analysis.report.presentation.dots import arm_handles
from analysis.report.presentation.plotting import Look, looks, panels
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.values import Float, Int, Known


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One kind of cost: its name in a sentence, its axis, its places in report.json."""

    name: str
    axis: str
    find: Callable[[CostArm], Int | Float | None]
    front: Callable[[Fronts], Sequence[str]]
    form: Form
    scale: float = 1.0


COSTS: tuple[Cost, ...] = (
    Cost(
        name="search cost",
        axis="hours of search",
        find=lambda arm: arm.search.value,
        front=lambda fronts: fronts.search,
        form=formats.hours,
    ),
    Cost(
        name="latency",
        axis="ms per picture (median)",
        find=lambda arm: arm.latency.p50_ms.value if arm.latency else None,
        front=lambda fronts: fronts.latency,
        form=formats.general,
    ),
    Cost(
        name="memory",
        axis="peak memory, MiB",
        find=lambda arm: arm.latency.peak_memory_mib.value if arm.latency else None,
        front=lambda fronts: fronts.memory,
        form=formats.count,
    ),
    Cost(
        name="parameters",
        axis="parameters, millions",
        find=lambda arm: arm.parameters,
        front=lambda fronts: fronts.parameters,
        form=formats.millions,
        scale=1e-6,
    ),
)


# -- arms -------------------------------------------------------------------------------------


def arms_picture(report: Report) -> Picture | None:
    """Test macro-F1 of the arms against each cost that is known; needs two arms with a score."""
    scores = {arm.arm: arm.test_macro_f1 for arm in report.arms if arm.test_macro_f1}
    arms = [arm for arm in report.cost.arms if arm.arm in scores]
    known = [cost for cost in COSTS if any(cost.find(arm) for arm in arms)]
    if len(arms) < 2 or not known:
        return None
    styles, fronts = looks(report), report.cost.fronts

    def paint(figure: Figure) -> None:
        for cost, axes in zip(known, panels(figure, len(known), sharey=True), strict=True):
            for arm in arms:
                style = styles[arm.arm]
                on = arm.arm in cost.front(fronts)
                _arm_dot(axes, arm, cost, scores[arm.arm], style, on_front=on)
            _panel(axes, cost.axis, "test macro-F1")
            # From zero, so that distances show ratios of cost.
            axes.set_xlim(0, 1.12 * axes.dataLim.xmax)
        names = [arm.arm for arm in arms]
        handles = arm_handles(names, [styles[name] for name in names])
        figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=9)

    return picture(
        "cost-arms-front",
        "Test macro-F1 against cost",
        "A marker per arm with the 95 % interval of its score; a ring if it is on the Pareto "
        "front. Up and to the left is better.",
        (9.5, 0.5 + 2.5 * ceil(len(known) / 2)),
        paint,
        data=_arms_table(arms, known, scores, fronts),
    )


def _arm_dot(
    axes: Axes, arm: CostArm, cost: Cost, score: Known, style: Look, *, on_front: bool
) -> None:
    value = cost.find(arm)
    if value is None:
        return
    x = value * cost.scale
    if score.low is not None and score.high is not None:
        axes.plot([x, x], [score.low, score.high], color=style.colour, lw=2)
    axes.plot([x], [score.value], style.marker, color=style.colour, ms=8, mew=0)
    if on_front:
        axes.plot([x], [score.value], "o", ms=15, mfc="none", mec=INK, mew=1.2)


def _panel(axes: Axes, below: str, beside: str) -> None:
    axes.margins(x=0.12)
    axes.set_xlabel(below)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    place = axes.get_subplotspec()
    if place is not None and place.is_first_col():
        axes.set_ylabel(beside)
    axes.grid()


def _arms_table(
    arms: Sequence[CostArm],
    known: Sequence[Cost],
    scores: Mapping[str, Known],
    fronts: Fronts,
) -> Table:
    def at_cost(arm: CostArm, cost: Cost) -> Cell:
        small = "on the front" if arm.arm in cost.front(fronts) else ""
        return cell(cost.find(arm), cost.form, small=small)

    return Table(
        name="cost-arms-front-data",
        label="Test macro-F1 against cost",
        columns=columns("arm", "test macro-F1", *(cost.axis for cost in known)),
        rows=tuple(
            Row(
                cells=(
                    text(arm.arm),
                    estimate(scores[arm.arm], formats.score),
                    *(at_cost(arm, cost) for cost in known),
                )
            )
            for arm in arms
        ),
    )


# -- trials -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _TrialCost:
    """One kind of cost of a trial: its key, its short name, its axis, its value."""

    key: str
    short: str
    axis: str
    of: Callable[[TrialPoint], float]


_TRIAL_COSTS = (
    _TrialCost(
        key="seconds_per_epoch",
        short="time",
        axis="seconds per epoch",
        of=lambda point: point.seconds_per_epoch,
    ),
    _TrialCost(
        key="peak_memory_mib",
        short="memory",
        axis="peak memory, MiB",
        of=lambda point: point.peak_memory_mib,
    ),
)


def trials_picture(report: Report) -> Picture | None:
    """Best validation value of fully trained trials against time per epoch and memory."""
    trials = report.cost.trials
    points = trials.points
    if not points:
        return None
    styles, unit = looks(report), trials.score_unit
    arms = [arm for arm in report.search.arms if any(p.arm == arm for p in points)]

    def paint(figure: Figure) -> None:
        for cost, axes in zip(_TRIAL_COSTS, panels(figure, 2, sharey=True), strict=True):
            for arm in arms:
                mine = [point for point in points if point.arm == arm]
                _trial_dots(axes, mine, cost, styles[arm])
            _front_line(axes, [point for point in points if cost.key in point.on_front], cost)
            _panel(axes, cost.axis, f"best {unit}")
        handles = arm_handles(arms, [styles[arm] for arm in arms])
        figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=9)

    total = trials.trials
    left = (
        f" {len(points)} of {formats.count(total)} trials are shown: all on a front, and an evenly "
        "spaced selection of the others."
        if total > len(points)
        else ""
    )
    return picture(
        "cost-trials-front",
        "Validation score against cost of a trial",
        "A marker per trial that is complete or overfit; the line joins those on the Pareto front "
        f"over all arms. Validation scores of trials are optimistic.{left}",
        (9.5, 3.4),
        paint,
        data=_trials_table(points, unit),
    )


def _trial_dots(axes: Axes, points: Sequence[TrialPoint], cost: _TrialCost, style: Look) -> None:
    axes.plot(
        [cost.of(point) for point in points],
        [point.score for point in points],
        style.marker,
        color=style.colour,
        ms=4.5,
        mew=0,
        alpha=0.55,
    )


def _front_line(axes: Axes, front: Sequence[TrialPoint], cost: _TrialCost) -> None:
    ordered = sorted(front, key=cost.of)
    axes.plot(
        [cost.of(point) for point in ordered],
        [point.score for point in ordered],
        "-o",
        color=INK,
        lw=1.2,
        ms=8,
        mfc="none",
        mew=1.2,
    )


def _trials_table(points: Sequence[TrialPoint], unit: str) -> Table:
    heads: dict[str, Form] = {
        "trial": formats.general,
        "arm": str,
        "depth": formats.count,
        "crop": formats.count,
        unit: formats.score,
        "seconds per epoch": formats.general,
        "MiB": formats.count,
        "on the front for": str,
    }
    rows = [
        [
            *(point.trial, point.arm, point.depth, point.crop, point.score),
            *(cost.of(point) for cost in _TRIAL_COSTS),
            formats.listing(c.short for c in _TRIAL_COSTS if c.key in point.on_front) or None,
        ]
        for point in sorted(points, key=lambda p: (not p.on_front, p.trial))
    ]
    return value_table(
        "cost-trials-front-data", "Validation score against cost of a trial", heads, rows
    )
