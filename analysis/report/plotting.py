"""How figures of the report look: colours and markers of arms, axes side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.report.cursor import At

#: Okabe and Ito's colours that stand out from white and from near-black; with a marker each,
#: so that no arm is told apart by colour alone.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (3, 3)))
GREY = "#808080"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How one arm is drawn, in every figure the same."""

    colour: str
    marker: str
    dash: Any


def look(number: int) -> Look:
    """The look of the arm at this place."""
    return Look(
        colour=PALETTE[number % len(PALETTE)],
        marker=MARKERS[number % len(MARKERS)],
        dash=DASHES[number % len(DASHES)],
    )


def looks(report: At) -> dict[str, Look]:
    """The look of every arm by its name."""
    return {arm: look(number) for number, arm in enumerate(report["search"]["arms"].value)}


def panels(figure: Figure, number: int, *, across: int = 2, **shared: Any) -> Iterator[Axes]:
    """``number`` axes in rows of ``across``; a single one keeps its share of the width."""
    shape = (ceil(number / across), across)
    axes = figure.subplots(*shape, squeeze=False, **shared).ravel()
    for spare in axes[number:]:
        spare.set_visible(False)
    return iter(axes[:number])
