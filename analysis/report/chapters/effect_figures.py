"""Figures of the chapter on the effect: opinions side by side, and groups of arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.blocks import Picture, Table
from analysis.report.chapters.effect_words import pair_name
from analysis.report.cursor import At, Form
from analysis.report.plotting import GREY, looks
from analysis.report.rows import value_table
from analysis.report.svg import INK, draw

#: What is drawn of each opinion: a permutation has no interval to draw.
_MARKS = {"welch": ("D", INK), "bca": ("o", GREY), "clean": ("^", GREY), "accuracy": ("s", GREY)}


def opinions(report: At) -> Picture | None:
    """Each pair's difference as each opinion has it; None where no pair has a difference."""
    pairs = [pair for pair in report["effect"]["pairs"] if pair["opinions"][0]["estimate"]]
    if not pairs:
        return None
    bound = report["verdict"]["smallest_effect"]["value"].value
    shown = [[one for one in pair["opinions"] if one["id"].value in _MARKS] for pair in pairs]
    drawing = draw(
        "effect-opinions",
        "The difference, with second opinions",
        "Differences in points with their intervals, the headline in ink; the shaded band is ± "
        f"the smallest effect of interest, {formats.points(bound)} points. The label permutation "
        "has no interval and is not drawn.",
        (6.4, 1.35 + 0.22 * sum(len(row) for row in shown) + 0.15 * len(pairs)),
        lambda figure: _opinions(figure, pairs, shown, bound),
    )
    return Picture(drawing=drawing, data=_opinion_data(pairs, shown), wide=False)


def _opinions(
    figure: Figure, pairs: Sequence[At], shown: Sequence[Sequence[At]], bound: float
) -> None:
    axes = figure.subplots()
    axes.axvspan(-100 * bound, 100 * bound, color=GREY, alpha=0.18, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, row in enumerate(shown):
        for number, one in enumerate(row):
            marker, colour = _MARKS[one["id"].value]
            height = place + 0.19 * (number - (len(row) - 1) / 2)
            _mark(axes, one["estimate"], height, marker, colour, scale=100)
    axes.set_yticks(range(len(pairs)), [pair_name(p).replace(" ", "\n", 1) for p in pairs])
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("difference on the test split, points")
    handles = [
        Line2D(
            [],
            [],
            color=_MARKS[one["id"].value][1],
            marker=_MARKS[one["id"].value][0],
            lw=2,
            label=one["name"].value,
        )
        for one in shown[0]
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=9)


def _mark(
    axes: Axes, quantity: At, height: float, marker: str, colour: str, scale: float = 1
) -> None:
    if not quantity:
        return
    value, low, high = (quantity[key].value for key in ("value", "low", "high"))
    if low is not None:
        axes.plot([scale * low, scale * high], [height] * 2, color=colour, lw=2)
    axes.plot([scale * value], [height], marker, color=colour, ms=6.5, mew=0)


def _opinion_data(pairs: Sequence[At], shown: Sequence[Sequence[At]]) -> Table:
    rows = [
        [pair_name(pair), one["name"].value, *_ends(one["estimate"])]
        for pair, row in zip(pairs, shown, strict=True)
        for one in row
    ]
    heads: Mapping[str, Form] = {
        "pair": str,
        "opinion": str,
        "difference": formats.score,
        "low": formats.score,
        "high": formats.score,
    }
    return value_table("effect-opinions-data", "Differences", heads, rows)


def groups(report: At) -> Picture | None:
    """Arms by falling score; a bar at the right joins those not found different.

    None with fewer than three arms that have a score.
    """
    arms = sorted(
        (arm for arm in report["arms"] if arm["test_macro_f1"]),
        key=lambda arm: -arm["test_macro_f1"]["value"].value,
    )
    if len(arms) < 3:
        return None
    names = [arm["arm"].value for arm in arms]
    joined = [[names.index(name) for name in group] for group in report["effect"]["groups"].value]
    drawing = draw(
        "effect-groups",
        "Arms by score, and which were not told apart",
        "Mean test macro-F1 of each arm with its own 95 % interval, best first. A bar at the right "
        "joins arms of which no two were found to differ (pairwise Welch tests, Holm at 5 %); "
        "the table of pairs has what each pair came to.",
        (6.4, 0.9 + 0.36 * len(arms)),
        lambda figure: _groups(figure, report, arms, joined),
    )
    return Picture(drawing=drawing, data=_group_data(report, arms), wide=False)


def _groups(
    figure: Figure, report: At, arms: Sequence[At], joined: Sequence[Sequence[int]]
) -> None:
    styles = looks(report)
    axes, side = figure.subplots(1, 2, sharey=True, width_ratios=[6, 0.25 + 0.3 * len(joined)])
    for place, arm in enumerate(arms):
        style = styles[arm["arm"].value]
        _mark(axes, arm["test_macro_f1"], place, style.marker, style.colour)
    axes.set_yticks(range(len(arms)), [arm["arm"].value for arm in arms])
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("macro-F1 on the test split")
    for number, group in enumerate(joined):
        side.plot(
            [number] * 2,
            [group[0] - 0.2, group[-1] + 0.2],
            color=INK,
            lw=4,
            solid_capstyle="butt",
        )
    side.set_xlim(-0.6, max(len(joined), 1) - 0.4)
    side.set_axis_off()


def _group_data(report: At, arms: Sequence[At]) -> Table:
    alike = [
        {pair["first"].value, pair["second"].value}
        for pair in report["effect"]["pairs"]
        if pair["opinions"][0]["excludes_zero"].value is not True
    ]
    names = [arm["arm"].value for arm in arms]
    rows = [
        [
            name,
            *_ends(arm["test_macro_f1"]),
            formats.listing(other for other in names if {name, other} in alike) or "none",
        ]
        for name, arm in zip(names, arms, strict=True)
    ]
    heads: Mapping[str, Form] = {
        "arm": str,
        "macro-F1": formats.score,
        "low": formats.score,
        "high": formats.score,
        "not told apart from": str,
    }
    return value_table("effect-groups-data", "Arms by score", heads, rows)


def _ends(quantity: At) -> list[object]:
    return [quantity[key].value if quantity else None for key in ("value", "low", "high")]
