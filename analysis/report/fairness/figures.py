"""Figures of the chapter on fairness: trials by state, and chosen values in their domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import formats
from analysis.report.fairness.schema import ArmBudget, ChosenValue
from analysis.report.presentation.blocks import Picture
from analysis.report.presentation.cells import Form
from analysis.report.presentation.plotting import GREY, label_rows, looks
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.values import STATES
from analysis.settings import LIMIT_MARGIN

#: Fill and hatch of each state; hatches of lines alone, since dots make large files.
_STYLES: Mapping[str, tuple[str, str]] = {
    "complete": (INK, ""),
    "overfit": ("none", "//"),
    "pruned": ("none", ""),
    "diverged": ("none", "xx"),
    "oom": ("none", "--"),
    "failed": (GREY, ""),
}


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """A chosen number with its position in its domain."""

    arm: str
    replicate: int
    place: float
    chosen: ChosenValue


def states(report: Report) -> Picture | None:
    """One bar per arm, divided by the state of its trials; None before any has ended."""
    arms = [arm for arm in report.fairness.arms if arm.total]
    if not arms:
        return None
    rows = [[arm.arm, *(STATES[state](arm.states) for state in _STYLES)] for arm in arms]
    heads: Mapping[str, Form] = {"arm": str, **dict.fromkeys(_STYLES, formats.count)}
    return picture(
        "fairness-states",
        "Trials by state",
        "Ended trials of each arm, by state: complete and overfit trials were trained to the end, "
        "pruned trials were stopped early.",
        (6.4, 1.15 + 0.36 * len(arms)),
        lambda figure: _states(figure, arms),
        data=value_table("fairness-states-data", "Trials by state", heads, rows),
        wide=False,
    )


def _states(figure: Figure, arms: Sequence[ArmBudget]) -> None:
    axes = figure.subplots()
    for place, arm in enumerate(arms):
        left = 0
        for state, (fill, hatch) in _STYLES.items():
            number = STATES[state](arm.states)
            if number:
                axes.barh(
                    place, number, 0.62, left, facecolor=fill, hatch=hatch, edgecolor=INK, lw=0.8
                )
            left += number
    label_rows(axes, [arm.arm for arm in arms], grid=False)
    axes.set_xlabel("trials")
    handles = [
        Patch(facecolor=fill, hatch=hatch, edgecolor=INK, lw=0.8, label=state)
        for state, (fill, hatch) in _STYLES.items()
        if any(STATES[state](arm.states) for arm in arms)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=6, fontsize=9)


def positions(report: Report) -> Picture | None:
    """Positions of chosen numbers in their domains, a row per parameter; None without any."""
    choices = [arm for arm in report.fairness.choices if arm.studies]
    placed = [
        _Placed(arm=arm.arm, replicate=study.replicate, place=p.position, chosen=p)
        for arm in choices
        for study in arm.studies
        for p in study.parameters
        if p.position is not None
    ]
    names = list(dict.fromkeys(one.chosen.parameter for one in placed))
    if not names:
        return None
    rows = [
        [name, one.arm, one.replicate, one.chosen.value, one.place]
        for name in names
        for one in placed
        if one.chosen.parameter == name
    ]
    heads: Mapping[str, Form] = {
        "parameter": str,
        "arm": str,
        "study": str,
        "value": formats.general,
        "position in the domain": formats.percent,
    }
    return picture(
        "fairness-positions",
        "Chosen values within their domains",
        "A marker per study at its chosen value, from the lower limit of the domain on the left to "
        "the upper limit on the right, on the sampling scale; numbers of a list are evenly "
        "spaced. Markers in the shaded strips are at a limit; hollow markers have no effect.",
        (6.4, 1.1 + len(names) * (0.2 + 0.12 * len(choices))),
        lambda figure: _positions(figure, report, placed, names),
        data=value_table("fairness-positions-data", "Chosen values", heads, rows),
        wide=False,
    )


def _positions(
    figure: Figure, report: Report, placed: Sequence[_Placed], names: Sequence[str]
) -> None:
    styles = looks(report)
    arms = list(dict.fromkeys(one.arm for one in placed))
    axes = figure.subplots()
    for low in (-LIMIT_MARGIN, 1 - LIMIT_MARGIN):
        axes.axvspan(low, low + 2 * LIMIT_MARGIN, color=GREY, alpha=0.22, lw=0)
    for one in placed:
        style = styles[one.arm]
        row = names.index(one.chosen.parameter)
        height = row + (arms.index(one.arm) - (len(arms) - 1) / 2) * 0.7 / len(arms)
        # A value beyond a limit, as of a baseline, is drawn just outside of it.
        place = min(max(one.place, -LIMIT_MARGIN), 1 + LIMIT_MARGIN)
        inner = {"mfc": "none", "mew": 1.2} if one.chosen.idle else {"alpha": 0.75, "mew": 0}
        axes.plot([place], [height], style.marker, color=style.colour, ms=6.5, **inner)
    axes.set_xlim(-0.04, 1.04)
    axes.set_xticks([0, 0.5, 1], ["lower limit", "middle", "upper limit"])
    label_rows(axes, names, grid=False)
    for edge in range(1, len(names)):
        axes.axhline(edge - 0.5, color=INK, lw=0.6, alpha=0.2)
    handles = [
        Line2D([], [], color=styles[arm].colour, marker=styles[arm].marker, lw=0, label=arm)
        for arm in arms
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9)
