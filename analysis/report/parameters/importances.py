"""Importance by parameter and arm: a dot for the share, a bar for the chance level."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.parameters.axes import words
from analysis.report.parameters.schema import ArmImportance, Importance
from analysis.report.presentation.blocks import Picture, Row, Table, columns, text
from analysis.report.presentation.cells import cell
from analysis.report.presentation.plotting import GREY, Look, label_rows, looks
from analysis.report.presentation.svg import INK, picture
from analysis.report.schema import Report

_SPREAD = 0.7


def importance_picture(report: Report) -> Picture | None:
    """Of the arms with enough trials; parameters with the largest share first."""
    ranked = [arm for arm in report.parameters.importance if arm.parameters]
    if not ranked:
        return None
    names, styles = _by_share(ranked), looks(report)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for lane, arm in enumerate(ranked):
            for entry in arm.parameters:
                offset = (lane - (len(ranked) - 1) / 2) * _SPREAD / len(ranked)
                place = names.index(entry.parameter) + offset
                _dot(axes, entry, place, styles[arm.arm])
        label_rows(axes, [words(name) for name in names])
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of importance")
        for edge in range(1, len(names)):
            axes.axhline(edge - 0.5, color=INK, lw=0.6, alpha=0.15)
        figure.legend(
            handles=_handles(ranked, styles), loc="outside lower center", ncols=3, fontsize=9
        )

    return picture(
        "parameters-importance",
        "Hyperparameter importance by arm",
        "A dot per arm and parameter: its share of the importance by PED-ANOVA, which compares the "
        "best trials with all that have a final value. The bar ends at the chance level, which an "
        "irrelevant parameter exceeds in 1 of 20 cases; a dot within its bar is hollow.",
        (8.5, 1.3 + len(names) * (0.28 + 0.08 * len(ranked))),
        paint,
        data=_data(ranked),
        wide=False,
    )


def stands_out(entry: Importance) -> bool:
    """Whether a share exceeds the chance level."""
    return bool(entry.share.value > entry.noise.value)


def _by_share(ranked: Sequence[ArmImportance]) -> list[str]:
    largest: dict[str, float] = {}
    for arm in ranked:
        for entry in arm.parameters:
            name, share = entry.parameter, entry.share.value
            largest[name] = max(largest.get(name, 0.0), share)
    return sorted(largest, key=lambda name: -largest[name])


def _dot(axes: Axes, entry: Importance, place: float, style: Look) -> None:
    share, noise = entry.share.value, entry.noise.value
    axes.plot([0, noise], [place] * 2, color=style.colour, lw=3, alpha=0.25, solid_capstyle="butt")
    out = stands_out(entry)
    axes.plot(
        [share],
        [place],
        style.marker,
        ms=7,
        color=style.colour,
        mfc=style.colour if out else "none",
        mew=0 if out else 1.4,
    )


def _handles(ranked: Sequence[ArmImportance], styles: dict[str, Look]) -> list[Artist]:
    names = [arm.arm for arm in ranked]
    arms = [
        Line2D([], [], color=style.colour, marker=style.marker, ls="", ms=7, mew=0, label=name)
        for name, style in ((name, styles[name]) for name in names)
    ]
    return [*arms, Line2D([], [], color=GREY, lw=3, alpha=0.4, label="chance level")]


def _data(ranked: Sequence[ArmImportance]) -> Table:
    rows = [
        Row(
            cells=(
                text(arm.arm),
                text(words(entry.parameter)),
                cell(entry.share.value, formats.percent),
                cell(entry.noise.value, formats.percent),
                text(formats.general(stands_out(entry))),
            )
        )
        for arm in ranked
        for entry in sorted(arm.parameters, key=lambda e: -e.share.value)
    ]
    return Table(
        name="parameters-importance-data",
        label="Importance by arm and parameter",
        columns=columns(
            "arm",
            "parameter",
            "share",
            "chance level",
            "above chance",
            numeric=("share", "chance level"),
        ),
        rows=tuple(rows),
        tall=len(rows) > 20,
    )
