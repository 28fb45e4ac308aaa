"""Figures of the chapter on classes: F1 per arm, and its differences."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.classes.schema import ClassesPart, ClassPair
from analysis.report.presentation.blocks import Drawing
from analysis.report.presentation.cells import pair_name
from analysis.report.presentation.plotting import GREY, draw_estimate, label_rows, looks, panels
from analysis.report.presentation.svg import INK, draw
from analysis.report.schema import Report

#: Distance of neighbouring arms within a class, and largest distance from the class's centre.
_STEP, _ROOM = 0.26, 0.34


def f1_scores(report: Report, section: ClassesPart, unit: str) -> Drawing:
    """A row per class, a mark with interval per arm."""
    arms, styles = section.arms, looks(report)
    names = [row.class_ for row in section.classes]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for number, arm in enumerate(arms):
            style = styles[arm.arm]
            for place, row in enumerate(arm.classes):
                height = place + _offset(number, len(arms))
                draw_estimate(axes, row.f1, height, style.marker, style.colour, ms=7, mew=1.5)
        label_rows(axes, names, above=0.6)
        axes.set_xlabel("F1 on the test split")
        handles = [
            Line2D([], [], color=styles[n].colour, marker=styles[n].marker, lw=2, label=n)
            for n in (arm.arm for arm in arms)
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9)

    return draw(
        "classes-f1-figure",
        "F1 by class",
        f"A marker per arm and class: mean F1 over {unit}, with its 95 % interval over {unit}.",
        (6.4, 1.2 + len(names) * (0.2 + 0.13 * max(len(arms), 2))),
        paint,
    )


def differences(section: ClassesPart) -> Drawing:
    """A panel per pair: differences of F1 and of recall with their joint intervals."""
    pairs = section.pairs
    names = [row.class_ for row in section.classes]

    def paint(figure: Figure) -> None:
        for pair, axes in zip(pairs, panels(figure, len(pairs), across=1), strict=True):
            _pair(axes, pair, names)
        handles = [
            Line2D([], [], color=INK, marker="D", ms=7, lw=2, label="F1, significant"),
            Line2D(
                [], [], color=INK, marker="D", ms=7, lw=2, mfc="none", label="F1, not significant"
            ),
            Line2D([], [], color=GREY, marker="o", ms=5, lw=1.5, ls=":", label="recall"),
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9)

    return draw(
        "classes-differences-figure",
        "Differences by class",
        "First arm minus second, in points; above zero the first is better. Diamonds: F1, filled "
        "where the difference is significant (Holm's p, on the right, below 0.05); circles: "
        "recall. Intervals cover jointly at 95 % over all classes and pairs shown.",
        (6.4, 0.5 + len(pairs) * (0.8 + 0.46 * len(names))),
        paint,
    )


def _pair(axes: Axes, pair: ClassPair, names: Sequence[str]) -> None:
    axes.axvline(0, color=INK, lw=1)
    rows = pair.classes
    for place, row in enumerate(rows):
        face = INK if "f1" in row.found else "none"
        draw_estimate(axes, row.f1, place - 0.14, "D", INK, scale=100, mfc=face, ms=7, mew=1.5)
        draw_estimate(axes, row.recall, place + 0.2, "o", GREY, scale=100, dash=":", ms=5, mew=1.5)
    label_rows(axes, names, above=0.6)
    axes.set_title(pair_name(pair))
    axes.set_xlabel("difference, points")
    right = axes.secondary_yaxis("right")
    values = [row.f1_p_holm.value for row in rows]
    right.set_yticks(range(len(rows)), [_p(value) for value in values])
    right.tick_params(length=0)
    right.spines.right.set_visible(False)


def _p(value: float | None) -> str:
    return "no test" if value is None else formats.stated("p", value)


def _offset(number: int, of: int) -> float:
    step = min(_STEP, 2 * _ROOM / max(of - 1, 1))
    return step * (number - (of - 1) / 2)
