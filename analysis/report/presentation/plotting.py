"""Style of figures: colours and markers of arms, panels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.report.schema import Report
from analysis.report.values import Known

#: Colours of Okabe and Ito with contrast to white and to near-black; with a marker each, so that
#: arms differ by more than colour.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (3, 3)))
GREY = "#808080"


@dataclass(frozen=True, kw_only=True)
class Look:
    """The style of one arm, the same in every figure."""

    colour: str
    marker: str
    dash: Any


def look(number: int) -> Look:
    """The style of the arm at this position."""
    return Look(
        colour=PALETTE[number % len(PALETTE)],
        marker=MARKERS[number % len(MARKERS)],
        dash=DASHES[number % len(DASHES)],
    )


def looks(report: Report) -> dict[str, Look]:
    """The style of every arm by its name."""
    return {arm: look(number) for number, arm in enumerate(report.search.arms)}


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(value: float, place: float = 0) -> str:
    """A tick label of a logarithmic axis, ``10⁻³``, without markup."""
    return f"10{str(round(log10(value))).translate(_RAISED)}"


def panels(figure: Figure, number: int, *, across: int = 2, **shared: Any) -> Iterator[Axes]:
    """``number`` axes in rows of ``across``; unused places stay empty."""
    shape = (ceil(number / across), across)
    axes = figure.subplots(*shape, squeeze=False, **shared).ravel()
    for spare in axes[number:]:
        spare.set_visible(False)
    return iter(axes[:number])


def label_rows(axes: Axes, labels: Sequence[str], *, above: float = 0.5, grid: bool = True) -> None:
    """A row per label from top to bottom, the first ``above`` below the edge; a vertical grid."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - (1 - above), -above)
    axes.grid(grid, axis="x")
    axes.tick_params(axis="y", length=0)


def draw_estimate(
    axes: Axes,
    quantity: Known | None,
    height: float,
    marker: str,
    colour: str,
    *,
    scale: float = 1,
    width: float = 2,
    dash: str = "-",
    **look: Any,
) -> None:
    """A quantity of report.json as a marker with its interval, if any, times ``scale``."""
    if quantity is None:
        return
    if quantity.low is not None and quantity.high is not None:
        ends = [scale * quantity.low, scale * quantity.high]
        axes.plot(ends, [height] * 2, color=colour, lw=width, ls=dash)
    axes.plot([scale * quantity.value], [height], marker, color=colour, **look)
