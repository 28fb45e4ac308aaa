"""Figures of the chapter on fairness: how trials ended, and where chosen values lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import formats
from analysis.limits import MARGIN
from analysis.report.blocks import Picture
from analysis.report.cursor import At, Form
from analysis.report.plotting import GREY, looks
from analysis.report.rows import value_table
from analysis.report.svg import INK, draw

#: Fill and hatch of each state; hatches of lines alone, since dots make large files.
_STATES: Mapping[str, tuple[str, str]] = {
    "complete": (INK, ""),
    "overfit": ("none", "//"),
    "pruned": ("none", ""),
    "diverged": ("none", "xx"),
    "oom": ("none", "--"),
    "failed": (GREY, ""),
}


def states(report: At) -> Picture | None:
    """One bar per arm, parted by how its trials ended; None before any has."""
    arms = [arm for arm in report["fairness"]["arms"] if arm["total"].value]
    if not arms:
        return None
    drawing = draw(
        "fairness-states",
        "How trials ended",
        "Ended trials of each arm, by state: complete and overfit ones were trained to their end, "
        "pruned ones were stopped early.",
        (6.4, 1.15 + 0.36 * len(arms)),
        lambda figure: _states(figure, arms),
    )
    rows = [[arm["arm"].value, *(arm["states"][state].value for state in _STATES)] for arm in arms]
    heads: Mapping[str, Form] = {"arm": str, **dict.fromkeys(_STATES, formats.count)}
    return Picture(
        drawing=drawing,
        data=value_table("fairness-states-data", "Trials by state", heads, rows),
        wide=False,
    )


def _states(figure: Figure, arms: Sequence[At]) -> None:
    axes = figure.subplots()
    for place, arm in enumerate(arms):
        left = 0
        for state, (fill, hatch) in _STATES.items():
            number = arm["states"][state].value
            if number:
                axes.barh(
                    place, number, 0.62, left, facecolor=fill, hatch=hatch, edgecolor=INK, lw=0.8
                )
            left += number
    axes.set_yticks(range(len(arms)), [arm["arm"].value for arm in arms])
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("trials")
    handles = [
        Patch(facecolor=fill, hatch=hatch, edgecolor=INK, lw=0.8, label=state)
        for state, (fill, hatch) in _STATES.items()
        if any(arm["states"][state].value for arm in arms)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=6, fontsize=9)


def positions(report: At) -> Picture | None:
    """Where chosen numbers lie in their domains, a row per parameter; None without any."""
    choices = [arm for arm in report["fairness"]["choices"] if arm["studies"]]
    placed = [
        (arm["arm"].value, study["replicate"].value, p)
        for arm in choices
        for study in arm["studies"]
        for p in study["parameters"]
        if p["position"].value is not None
    ]
    names = list(dict.fromkeys(p["parameter"].value for _, _, p in placed))
    if not names:
        return None
    drawing = draw(
        "fairness-positions",
        "Chosen values within what was sampled",
        "A mark per study at its chosen value, from the lower limit of the domain at the left to "
        "the upper one at the right, on the scale of sampling; numbers of a list are evenly "
        "spaced. Marks in the shaded strips lie at a limit; hollow marks are without effect.",
        (6.4, 1.1 + len(names) * (0.2 + 0.12 * len(choices))),
        lambda figure: _positions(figure, report, placed, names),
    )
    rows = [
        [p["parameter"].value, arm, replicate, p["value"].value, p["position"].value]
        for name in names
        for arm, replicate, p in placed
        if p["parameter"].value == name
    ]
    heads: Mapping[str, Form] = {
        "parameter": str,
        "arm": str,
        "study": str,
        "value": formats.general,
        "share of the domain": formats.percent,
    }
    data = value_table("fairness-positions-data", "Chosen values", heads, rows)
    return Picture(drawing=drawing, data=data, wide=False)


def _positions(
    figure: Figure, report: At, placed: Sequence[tuple[str, int, At]], names: Sequence[str]
) -> None:
    styles = looks(report)
    arms = list(dict.fromkeys(arm for arm, _, _ in placed))
    axes = figure.subplots()
    for low in (-MARGIN, 1 - MARGIN):
        axes.axvspan(low, low + 2 * MARGIN, color=GREY, alpha=0.22, lw=0)
    for arm, _, p in placed:
        style = styles[arm]
        row = names.index(p["parameter"].value)
        height = row + (arms.index(arm) - (len(arms) - 1) / 2) * 0.7 / len(arms)
        # Beyond a limit, where a baseline may lie, is shown just outside of it.
        place = min(max(p["position"].value, -MARGIN), 1 + MARGIN)
        inner = {"mfc": "none", "mew": 1.2} if p["idle"].value else {"alpha": 0.75, "mew": 0}
        axes.plot([place], [height], style.marker, color=style.colour, ms=6.5, **inner)
    axes.set_xlim(-0.04, 1.04)
    axes.set_xticks([0, 0.5, 1], ["lower limit", "middle", "upper limit"])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for edge in range(1, len(names)):
        axes.axhline(edge - 0.5, color=INK, lw=0.6, alpha=0.2)
    handles = [
        Line2D([], [], color=styles[arm].colour, marker=styles[arm].marker, lw=0, label=arm)
        for arm in arms
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9)
