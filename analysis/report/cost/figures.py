"""Score against cost: test score of the arms, validation score of fully trained trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis import formats
from analysis.report.presentation.blocks import Cell, Picture, Row, Table, columns, text
from analysis.report.presentation.cursor import At, Form
from analysis.report.presentation.dots import arm_handles
from analysis.report.presentation.plotting import Look, looks, panels
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One kind of cost: its name in a sentence, its axis, its place in an arm's entry."""

    name: str
    axis: str
    find: Callable[[At], At]
    form: Form
    scale: float = 1.0


COSTS: dict[str, Cost] = {
    "search": Cost(
        name="search cost",
        axis="hours of search",
        find=lambda arm: arm["search"]["value"],
        form=formats.hours,
    ),
    "latency": Cost(
        name="latency",
        axis="ms per picture (median)",
        find=lambda arm: _latency(arm, "p50_ms"),
        form=formats.general,
    ),
    "memory": Cost(
        name="memory",
        axis="peak memory, MiB",
        find=lambda arm: _latency(arm, "peak_memory_mib"),
        form=formats.count,
    ),
    "parameters": Cost(
        name="parameters",
        axis="parameters, millions",
        find=lambda arm: arm["parameters"],
        form=formats.millions,
        scale=1e-6,
    ),
}


def _latency(arm: At, name: str) -> At:
    return arm["latency"][name]["value"] if arm["latency"] else At(None)


# -- arms -------------------------------------------------------------------------------------


def arms_picture(report: At) -> Picture | None:
    """Test macro-F1 of the arms against each cost that is known; needs two arms with a score."""
    scores = {arm["arm"].value: arm["test_macro_f1"] for arm in report["arms"]}
    arms = [arm for arm in report["cost"]["arms"] if scores[arm["arm"].value]]
    known = [name for name, cost in COSTS.items() if any(cost.find(a).value for a in arms)]
    if len(arms) < 2 or not known:
        return None
    styles, fronts = looks(report), report["cost"]["fronts"].value

    def paint(figure: Figure) -> None:
        for name, axes in zip(known, panels(figure, len(known), sharey=True), strict=True):
            for arm in arms:
                style = styles[arm["arm"].value]
                on = arm["arm"].value in fronts[name]
                _arm_dot(axes, arm, COSTS[name], scores[arm["arm"].value], style, on_front=on)
            _panel(axes, COSTS[name].axis, "test macro-F1")
            # From zero, so that distances show ratios of cost.
            axes.set_xlim(0, 1.12 * axes.dataLim.xmax)
        names = [arm["arm"].value for arm in arms]
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


def _arm_dot(axes: Axes, arm: At, cost: Cost, score: At, style: Look, *, on_front: bool) -> None:
    value = cost.find(arm).value
    if value is None:
        return
    x, low, high = value * cost.scale, score["low"].value, score["high"].value
    if low is not None:
        axes.plot([x, x], [low, high], color=style.colour, lw=2)
    axes.plot([x], [score["value"].value], style.marker, color=style.colour, ms=8, mew=0)
    if on_front:
        axes.plot([x], [score["value"].value], "o", ms=15, mfc="none", mec=INK, mew=1.2)


def _panel(axes: Axes, below: str, beside: str) -> None:
    axes.margins(x=0.12)
    axes.set_xlabel(below)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    place = axes.get_subplotspec()
    if place is not None and place.is_first_col():
        axes.set_ylabel(beside)
    axes.grid()


def _arms_table(
    arms: Sequence[At], known: Sequence[str], scores: dict[str, At], fronts: dict[str, list[str]]
) -> Table:
    def cell(arm: At, name: str) -> Cell:
        small = "on the front" if arm["arm"].value in fronts[name] else ""
        return COSTS[name].find(arm).cell(COSTS[name].form, small=small)

    return Table(
        name="cost-arms-front-data",
        label="Test macro-F1 against cost",
        columns=columns("arm", "test macro-F1", *(COSTS[name].axis for name in known)),
        rows=tuple(
            Row(
                cells=(
                    text(arm["arm"].value),
                    scores[arm["arm"].value].estimate(formats.score),
                    *(cell(arm, name) for name in known),
                )
            )
            for arm in arms
        ),
    )


# -- trials -----------------------------------------------------------------------------------

_TRIAL_COSTS = {"seconds_per_epoch": "seconds per epoch", "peak_memory_mib": "peak memory, MiB"}


def trials_picture(report: At) -> Picture | None:
    """Best validation value of fully trained trials against time per epoch and memory."""
    trials = report["cost"]["trials"]
    points: list[dict[str, Any]] = trials["points"].value
    if not points:
        return None
    styles, unit = looks(report), trials["score_unit"].value
    arms = [arm for arm in report["search"]["arms"].value if any(p["arm"] == arm for p in points)]

    def paint(figure: Figure) -> None:
        for cost, axes in zip(_TRIAL_COSTS, panels(figure, 2, sharey=True), strict=True):
            for arm in arms:
                mine = [point for point in points if point["arm"] == arm]
                _trial_dots(axes, mine, cost, styles[arm])
            _front_line(axes, [point for point in points if cost in point["on_front"]], cost)
            _panel(axes, _TRIAL_COSTS[cost], f"best {unit}")
        handles = arm_handles(arms, [styles[arm] for arm in arms])
        figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=9)

    total = trials["trials"].value
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


def _trial_dots(axes: Axes, points: Sequence[dict[str, Any]], cost: str, style: Look) -> None:
    axes.plot(
        [point[cost] for point in points],
        [point["score"] for point in points],
        style.marker,
        color=style.colour,
        ms=4.5,
        mew=0,
        alpha=0.55,
    )


def _front_line(axes: Axes, front: Sequence[dict[str, Any]], cost: str) -> None:
    ordered = sorted(front, key=lambda point: point[cost])
    axes.plot(
        [point[cost] for point in ordered],
        [point["score"] for point in ordered],
        "-o",
        color=INK,
        lw=1.2,
        ms=8,
        mfc="none",
        mew=1.2,
    )


def _trials_table(points: Sequence[dict[str, Any]], unit: str) -> Table:
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
    short = {"seconds_per_epoch": "time", "peak_memory_mib": "memory"}
    rows = [
        [
            *(point[key] for key in ("trial", "arm", "depth", "crop", "score", *_TRIAL_COSTS)),
            formats.listing(short[cost] for cost in point["on_front"]) or None,
        ]
        for point in sorted(points, key=lambda p: (not p["on_front"], p["trial"]))
    ]
    return value_table(
        "cost-trials-front-data", "Validation score against cost of a trial", heads, rows
    )
