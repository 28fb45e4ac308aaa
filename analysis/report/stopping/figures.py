"""Figures of early stopping: epochs run, saved and lost, and rung fidelity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis import formats
from analysis.report.presentation.blocks import Picture, Row, Table, columns, text
from analysis.report.presentation.cursor import At, Form
from analysis.report.presentation.dots import Dot, arm_handles, draw_dots
from analysis.report.presentation.plotting import label_rows, looks
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table

#: The causes of saved epochs, by key of report.json.
CAUSES = {"asha": "ASHA", "overfit_stopper": "overfit stopper", "divergence": "divergence"}
#: Style of epochs that were not run; failures solid, as they were not meant to save any.
_HATCHES: dict[str, dict[str, Any]] = {
    "asha": {"hatch": "///", "fc": "none"},
    "overfit_stopper": {"hatch": "\\\\\\", "fc": "none"},
    "divergence": {"hatch": "+++", "fc": "none"},
    "lost_to_failure": {"fc": INK, "alpha": 0.75},
}
_NAMES = {**CAUSES, "lost_to_failure": "lost to failures"}


def epochs_picture(report: At) -> Picture:
    """Per arm the epochs allowed: run, saved by cause, lost."""
    arms, styles = list(report["stopping"]["arms"]), looks(report)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, arm in enumerate(arms):
            style = {"fc": styles[arm["arm"].value].colour}
            _bar(axes, place, [(arm["run"].value, style), *_rest(arm)])
        label_rows(axes, [arm["arm"].value for arm in arms], above=0.6, grid=False)
        axes.set_xlabel("epochs")
        handles = [Patch(fc=INK, alpha=0.4, label="run, in the arm's colour")]
        handles += [
            Patch(ec=INK, lw=0.8, label=_NAMES[cause], **style) for cause, style in _HATCHES.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=9)

    return picture(
        "stopping-epochs",
        "Epochs run, saved and lost",
        "Epochs that the budget allowed each arm's trials: run, saved by ASHA, by the overfit "
        "stopper and by stopping diverged trials, and lost to failures.",
        (9.5, 1.1 + 0.45 * len(arms)),
        paint,
        data=_epochs_data(arms),
    )


def _rest(arm: At) -> list[tuple[int, dict[str, Any]]]:
    values = {**arm["saved"].value, "lost_to_failure": arm["lost_to_failure"].value}
    return [(values[cause], style) for cause, style in _HATCHES.items()]


def _bar(axes: Axes, place: int, parts: Sequence[tuple[int, dict[str, Any]]]) -> None:
    start = 0
    for width, style in parts:
        if width:
            axes.barh(place, width, left=start, height=0.62, ec=INK, lw=0.8, **style)
        start += width


def _epochs_data(arms: Sequence[At]) -> Table:
    heads: dict[str, Form] = {"arm": str, "allowed": formats.count, "run": formats.count}
    heads |= {name: formats.count for name in _NAMES.values()}
    rows = [
        [arm["arm"].value, arm["allowed"].value, arm["run"].value, *(n for n, _ in _rest(arm))]
        for arm in arms
    ]
    return value_table("stopping-epochs-data", "Epochs run, saved and lost", heads, rows)


# -- rung fidelity ----------------------------------------------------------------------------


def fidelity_picture(report: At) -> Picture | None:
    """Rank correlations per rung and arm; None where there is not one."""
    rungs, styles = list(report["stopping"]["fidelity"]), looks(report)
    arms = report["search"]["arms"].value
    dots = [
        dot
        for category, rung in enumerate(rungs)
        for place, entry in enumerate(rung["arms"])
        if (dot := _dot(entry["correlation"], category, place)) is not None
    ]
    if not dots:
        return None
    mine = [styles[arm] for arm in arms]
    lowest = min(0.0, *(dot.low if dot.low is not None else dot.value or 0.0 for dot in dots))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        names = [f"rung at epoch {rung['epoch'].value}" for rung in rungs]
        draw_dots(axes, dots, mine, names, ceiling=1.0)
        axes.axhline(0, color=INK, lw=1)
        axes.set_ylim(lowest - 0.05, 1.05)
        axes.set_ylabel("rank correlation with final")
        handles = arm_handles(arms, mine)
        figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=9)

    return picture(
        "stopping-rungs",
        "Rung fidelity",
        "Spearman's correlation of the rank at a rung and the final rank with its 95 % interval, "
        "over trials that continued past the rung to the end, audited ones included, ranked within "
        "their study. Trials that ASHA stopped have no final rank, so this is about trials that "
        "passed; over all trials the correlation would be higher.",
        (9.5, 3.6),
        paint,
        data=_fidelity_data(rungs),
    )


def _dot(correlation: At, category: int, arm: int) -> Dot | None:
    if not correlation or correlation["value"].value is None:
        return None
    value, low, high = (correlation[key].value for key in ("value", "low", "high"))
    return Dot(category=category, arm=arm, value=value, low=low, high=high)


def _fidelity_data(rungs: Sequence[At]) -> Table:
    rows = [
        Row(
            cells=(
                rung["epoch"].cell(formats.count),
                text(entry["arm"].value),
                entry["correlation"].estimate(formats.score),
                entry["correlation"]["n"].cell(formats.count)
                if entry["correlation"]
                else text("0"),
            )
        )
        for rung in rungs
        for entry in rung["arms"]
    ]
    return Table(
        name="stopping-rungs-data",
        label="Rung fidelity",
        columns=columns("rung", "arm", "rank correlation", "trials", numeric=("rung", "trials")),
        rows=tuple(rows),
        tall=len(rows) > 12,
    )
