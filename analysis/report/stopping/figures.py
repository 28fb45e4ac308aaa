"""Figures of early stopping: epochs run, saved and lost, and rung fidelity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis import formats
from analysis.report.presentation.blocks import Picture, Row, Table, columns, text
from analysis.report.presentation.cells import Form, cell, estimate
from analysis.report.presentation.dots import Dot, arm_handles, draw_dots
from analysis.report.presentation.plotting import label_rows, looks
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.stopping.schema import Rung, StoppingArm
from analysis.report.values import Int, Quantity


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why epochs were not run: its name, how many they were, their style."""

    name: str
    epochs: Callable[[StoppingArm], Int]
    style: Mapping[str, Any]


#: Of saved epochs.
CAUSES = (
    Cause(name="ASHA", epochs=lambda arm: arm.saved.asha, style={"hatch": "///", "fc": "none"}),
    Cause(
        name="overfit stopper",
        epochs=lambda arm: arm.saved.overfit_stopper,
        style={"hatch": "\\\\\\", "fc": "none"},
    ),
    Cause(
        name="divergence",
        epochs=lambda arm: arm.saved.divergence,
        style={"hatch": "+++", "fc": "none"},
    ),
)
#: Failures are solid, as they were not meant to save any.
_NOT_RUN = (
    *CAUSES,
    Cause(
        name="lost to failures",
        epochs=lambda arm: arm.lost_to_failure,
        style={"fc": INK, "alpha": 0.75},
    ),
)


def epochs_picture(report: Report) -> Picture:
    """Per arm the epochs allowed: run, saved by cause, lost."""
    arms, styles = report.stopping.arms, looks(report)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, arm in enumerate(arms):
            style = {"fc": styles[arm.arm].colour}
            _bar(axes, place, [(arm.run, style), *_rest(arm)])
        label_rows(axes, [arm.arm for arm in arms], above=0.6, grid=False)
        axes.set_xlabel("epochs")
        handles = [Patch(fc=INK, alpha=0.4, label="run, in the arm's colour")]
        handles += [Patch(ec=INK, lw=0.8, label=cause.name, **cause.style) for cause in _NOT_RUN]
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


def _rest(arm: StoppingArm) -> list[tuple[int, Mapping[str, Any]]]:
    return [(cause.epochs(arm), cause.style) for cause in _NOT_RUN]


def _bar(axes: Axes, place: int, parts: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    start = 0
    for width, style in parts:
        if width:
            axes.barh(place, width, left=start, height=0.62, ec=INK, lw=0.8, **style)
        start += width


def _epochs_data(arms: Sequence[StoppingArm]) -> Table:
    heads: dict[str, Form] = {"arm": str, "allowed": formats.count, "run": formats.count}
    heads |= {name: formats.count for name in (cause.name for cause in _NOT_RUN)}
    rows = [[arm.arm, arm.allowed, arm.run, *(n for n, _ in _rest(arm))] for arm in arms]
    return value_table("stopping-epochs-data", "Epochs run, saved and lost", heads, rows)


# -- rung fidelity ----------------------------------------------------------------------------


def fidelity_picture(report: Report) -> Picture | None:
    """Rank correlations per rung and arm; None where there is not one."""
    rungs, styles = report.stopping.fidelity, looks(report)
    arms = report.search.arms
    dots = [
        dot
        for category, rung in enumerate(rungs)
        for place, entry in enumerate(rung.arms)
        if (dot := _dot(entry.correlation, category, place)) is not None
    ]
    if not dots:
        return None
    mine = [styles[arm] for arm in arms]
    lowest = min(0.0, *(dot.low if dot.low is not None else dot.value or 0.0 for dot in dots))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        names = [f"rung at epoch {rung.epoch}" for rung in rungs]
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


def _dot(correlation: Quantity | None, category: int, arm: int) -> Dot | None:
    if not correlation or correlation.value is None:
        return None
    value, low, high = correlation.span
    return Dot(category=category, arm=arm, value=value, low=low, high=high)


def _fidelity_data(rungs: Sequence[Rung]) -> Table:
    rows = [
        Row(
            cells=(
                cell(rung.epoch, formats.count),
                text(entry.arm),
                estimate(entry.correlation, formats.score),
                cell(entry.correlation.n, formats.count) if entry.correlation else text("0"),
            )
        )
        for rung in rungs
        for entry in rung.arms
    ]
    return Table(
        name="stopping-rungs-data",
        label="Rung fidelity",
        columns=columns("rung", "arm", "rank correlation", "trials", numeric=("rung", "trials")),
        rows=tuple(rows),
        tall=len(rows) > 12,
    )
