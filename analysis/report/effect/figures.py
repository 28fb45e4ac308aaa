"""Figures of the chapter on the effect: the difference by analysis, and groups of arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.effect.schema import EffectPair, Opinion
from analysis.report.presentation.blocks import Picture, Table
from analysis.report.presentation.cells import Form, pair_name
from analysis.report.presentation.plotting import GREY, draw_estimate, label_rows, looks
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.values import Known

#: Arms with their scores.
Scored = Sequence[tuple[str, Known]]

#: Marker and colour of each analysis; the permutation test has no interval to draw.
_MARKERS = {"welch": ("D", INK), "bca": ("o", GREY), "clean": ("^", GREY), "accuracy": ("s", GREY)}


def opinions(report: Report) -> Picture | None:
    """Each pair's difference by analysis; None where no pair has a difference."""
    pairs = [pair for pair in report.effect.pairs if pair.opinions[0].estimate]
    if not pairs:
        return None
    bound = report.verdict.smallest_effect.value
    shown = [[one for one in pair.opinions if one.id in _MARKERS] for pair in pairs]
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
    figure: Figure, pairs: Sequence[EffectPair], shown: Sequence[Sequence[Opinion]], bound: float
) -> None:
    axes = figure.subplots()
    axes.axvspan(-100 * bound, 100 * bound, color=GREY, alpha=0.18, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, row in enumerate(shown):
        for number, one in enumerate(row):
            marker, colour = _MARKERS[one.id]
            height = place + 0.19 * (number - (len(row) - 1) / 2)
            draw_estimate(axes, one.estimate, height, marker, colour, scale=100, ms=6.5, mew=0)
    label_rows(axes, [pair_name(pair).replace(" ", "\n", 1) for pair in pairs])
    axes.set_xlabel("difference on the test split, points")
    handles = [
        Line2D(
            [],
            [],
            color=_MARKERS[one.id][1],
            marker=_MARKERS[one.id][0],
            lw=2,
            label=one.name,
        )
        for one in shown[0]
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=9)


def _opinion_data(pairs: Sequence[EffectPair], shown: Sequence[Sequence[Opinion]]) -> Table:
    rows = [
        [pair_name(pair), one.name, *(one.estimate.span if one.estimate else (None,) * 3)]
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


def groups(report: Report) -> Picture | None:
    """Arms by descending score; a bar on the right joins those that do not differ significantly.

    None with fewer than three arms that have a score.
    """
    arms = sorted(
        ((arm.arm, arm.test_macro_f1) for arm in report.arms if arm.test_macro_f1),
        key=lambda found: -found[1].value,
    )
    if len(arms) < 3:
        return None
    names = [name for name, _ in arms]
    joined = [[names.index(name) for name in group] for group in report.effect.groups]
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


def _groups(figure: Figure, report: Report, arms: Scored, joined: Sequence[Sequence[int]]) -> None:
    styles = looks(report)
    axes, side = figure.subplots(1, 2, sharey=True, width_ratios=[6, 0.25 + 0.3 * len(joined)])
    for place, (name, score) in enumerate(arms):
        style = styles[name]
        draw_estimate(axes, score, place, style.marker, style.colour, ms=6.5, mew=0)
    label_rows(axes, [name for name, _ in arms])
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


def _group_data(report: Report, arms: Scored) -> Table:
    alike = [
        {pair.first, pair.second}
        for pair in report.effect.pairs
        if pair.opinions[0].excludes_zero is not True
    ]
    names = [name for name, _ in arms]
    rows = [
        [
            name,
            *score.span,
            formats.listing(other for other in names if {name, other} in alike) or "none",
        ]
        for name, score in arms
    ]
    heads: Mapping[str, Form] = {
        "arm": str,
        "macro-F1": formats.score,
        "low": formats.score,
        "high": formats.score,
        "not significantly different from": str,
    }
    return value_table("effect-groups-data", "Arms by score", heads, rows)
