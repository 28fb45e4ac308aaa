"""Figures of the chapter on the effect: the difference by analysis, and groups of arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.presentation.blocks import Picture, Table
from analysis.report.presentation.cursor import At, Form, pair_name
from analysis.report.presentation.plotting import GREY, draw_estimate, label_rows, looks
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table

#: Marker and colour of each analysis; the permutation test has no interval to draw.
_MARKERS = {"welch": ("D", INK), "bca": ("o", GREY), "clean": ("^", GREY), "accuracy": ("s", GREY)}


def opinions(report: At) -> Picture | None:
    """Each pair's difference by analysis; None where no pair has a difference."""
    pairs = [pair for pair in report["effect"]["pairs"] if pair["opinions"][0]["estimate"]]
    if not pairs:
        return None
    bound = report["verdict"]["smallest_effect"]["value"].value
    shown = [[one for one in pair["opinions"] if one["id"].value in _MARKERS] for pair in pairs]
    return picture(
        "effect-opinions",
        "Difference by analysis",
        "Differences in points with their intervals, first that of the verdict; the shaded band is "
        f"± the smallest effect of interest, {formats.points(bound)} points. The permutation test "
        "has no interval and is not drawn.",
        (6.4, 1.35 + 0.22 * sum(len(row) for row in shown) + 0.15 * len(pairs)),
        lambda figure: _opinions(figure, pairs, shown, bound),
        data=_opinion_data(pairs, shown),
        wide=False,
    )


def _opinions(
    figure: Figure, pairs: Sequence[At], shown: Sequence[Sequence[At]], bound: float
) -> None:
    axes = figure.subplots()
    axes.axvspan(-100 * bound, 100 * bound, color=GREY, alpha=0.18, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, row in enumerate(shown):
        for number, one in enumerate(row):
            marker, colour = _MARKERS[one["id"].value]
            height = place + 0.19 * (number - (len(row) - 1) / 2)
            draw_estimate(axes, one["estimate"], height, marker, colour, scale=100, ms=6.5, mew=0)
    label_rows(axes, [pair_name(pair).replace(" ", "\n", 1) for pair in pairs])
    axes.set_xlabel("difference on the test split, points")
    handles = [
        Line2D(
            [],
            [],
            color=_MARKERS[one["id"].value][1],
            marker=_MARKERS[one["id"].value][0],
            lw=2,
            label=one["name"].value,
        )
        for one in shown[0]
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=9)


def _opinion_data(pairs: Sequence[At], shown: Sequence[Sequence[At]]) -> Table:
    rows = [
        [pair_name(pair), one["name"].value, *_estimate(one["estimate"])]
        for pair, row in zip(pairs, shown, strict=True)
        for one in row
    ]
    heads: Mapping[str, Form] = {
        "pair": str,
        "analysis": str,
        "difference": formats.score,
        "low": formats.score,
        "high": formats.score,
    }
    return value_table("effect-opinions-data", "Differences", heads, rows)


def groups(report: At) -> Picture | None:
    """Arms by descending score; a bar on the right joins those that do not differ significantly.

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
    return picture(
        "effect-groups",
        "Arms by score, and groups without significant differences",
        "Mean test macro-F1 of each arm with its own 95 % interval, best first. A bar on the right "
        "joins arms of which no two differ significantly (pairwise Welch tests, Holm at 5 %); "
        "the table of pairs has the result of each pair.",
        (6.4, 0.9 + 0.36 * len(arms)),
        lambda figure: _groups(figure, report, arms, joined),
        data=_group_data(report, arms),
        wide=False,
    )


def _groups(
    figure: Figure, report: At, arms: Sequence[At], joined: Sequence[Sequence[int]]
) -> None:
    styles = looks(report)
    axes, side = figure.subplots(1, 2, sharey=True, width_ratios=[6, 0.25 + 0.3 * len(joined)])
    for place, arm in enumerate(arms):
        style = styles[arm["arm"].value]
        draw_estimate(axes, arm["test_macro_f1"], place, style.marker, style.colour, ms=6.5, mew=0)
    label_rows(axes, [arm["arm"].value for arm in arms])
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
            *_estimate(arm["test_macro_f1"]),
            formats.listing(other for other in names if {name, other} in alike) or "none",
        ]
        for name, arm in zip(names, arms, strict=True)
    ]
    heads: Mapping[str, Form] = {
        "arm": str,
        "macro-F1": formats.score,
        "low": formats.score,
        "high": formats.score,
        "not significantly different from": str,
    }
    return value_table("effect-groups-data", "Arms by score", heads, rows)


def _estimate(quantity: At) -> list[object]:
    return [quantity[key].value if quantity else None for key in ("value", "low", "high")]
