"""Importance per parameter and arm: a dot for the share, a bar for what chance gives."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.blocks import Picture, Row, Table, columns, text
from analysis.report.chapters.parameter_axes import words
from analysis.report.cursor import At
from analysis.report.plotting import GREY, Look, looks
from analysis.report.svg import INK, draw

_SPREAD = 0.7


def importance_picture(report: At) -> Picture | None:
    """Of the arms with enough trials; parameters with the largest share first."""
    told = [arm for arm in report["parameters"]["importance"] if arm["parameters"]]
    if not told:
        return None
    names, styles = _ranked(told), looks(report)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for lane, arm in enumerate(told):
            for entry in arm["parameters"]:
                offset = (lane - (len(told) - 1) / 2) * _SPREAD / len(told)
                place = names.index(entry["parameter"].value) + offset
                _dot(axes, entry, place, styles[arm["arm"].value])
        axes.set_yticks(range(len(names)), [words(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of importance")
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        for edge in range(1, len(names)):
            axes.axhline(edge - 0.5, color=INK, lw=0.6, alpha=0.15)
        figure.legend(
            handles=_handles(told, styles), loc="outside lower center", ncols=3, fontsize=9
        )

    drawing = draw(
        "parameters-importance",
        "Importance of hyperparameters per arm",
        "A dot per arm and parameter: its share of what sets the arm's best trials apart from all "
        "that have a final value (PED-ANOVA). The bar is what chance gives to a parameter that "
        "means nothing, in all but one of 20 cases; a dot within its bar is hollow.",
        (8.5, 1.3 + len(names) * (0.28 + 0.08 * len(told))),
        paint,
    )
    return Picture(drawing=drawing, data=_data(told), wide=False)


def stands_out(entry: At) -> bool:
    """Whether a share exceeds what chance gives."""
    return bool(entry["share"]["value"].value > entry["noise"]["value"].value)


def _ranked(told: Sequence[At]) -> list[str]:
    largest: dict[str, float] = {}
    for arm in told:
        for entry in arm["parameters"].value:
            name, share = entry["parameter"], entry["share"]["value"]
            largest[name] = max(largest.get(name, 0.0), share)
    return sorted(largest, key=lambda name: -largest[name])


def _dot(axes: Axes, entry: At, place: float, style: Look) -> None:
    share, noise = entry["share"]["value"].value, entry["noise"]["value"].value
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


def _handles(told: Sequence[At], styles: dict[str, Look]) -> list[Artist]:
    handles: list[Artist] = []
    for arm in told:
        style = styles[arm["arm"].value]
        handles.append(
            Line2D(
                [],
                [],
                color=style.colour,
                marker=style.marker,
                ls="",
                ms=7,
                mew=0,
                label=arm["arm"].value,
            )
        )
    handles.append(Line2D([], [], color=GREY, lw=3, alpha=0.4, label="what chance gives"))
    return handles


def _data(told: Sequence[At]) -> Table:
    rows = [
        Row(
            cells=(
                text(arm["arm"].value),
                text(words(entry["parameter"].value)),
                entry["share"]["value"].cell(formats.percent),
                entry["noise"]["value"].cell(formats.percent),
                text(formats.general(stands_out(entry))),
            )
        )
        for arm in told
        for entry in sorted(arm["parameters"], key=lambda e: -e["share"]["value"].value)
    ]
    return Table(
        name="parameters-importance-data",
        label="Importance per arm and parameter",
        columns=columns(
            "arm",
            "parameter",
            "share",
            "chance gives",
            "stands out",
            numeric=("share", "chance gives"),
        ),
        rows=tuple(rows),
        tall=len(rows) > 20,
    )
