"""Confusion matrices of the arms and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from analysis import formats
from analysis.report.classes.matrices import DIVERGING, matrix
from analysis.report.classes.schema import ClassesPart
from analysis.report.presentation.blocks import Picture
from analysis.report.presentation.cells import Form, pair_name
from analysis.report.presentation.plotting import panels
from analysis.report.presentation.svg import picture
from analysis.report.presentation.tables import value_table


def confusions(section: ClassesPart) -> Picture:
    """A matrix per arm: shares of the row with counts."""
    arms = section.arms
    names = [row.class_ for row in section.classes]

    def paint(figure: Figure) -> None:
        for arm, axes in zip(arms, panels(figure, len(arms)), strict=True):
            counts, shares = arm.confusion.counts, arm.confusion.shares
            matrix(
                axes,
                np.array(shares),
                names,
                [
                    [f"{100 * s:.0f}\n{c}" for s, c in zip(*row, strict=True)]
                    for row in zip(shares, counts, strict=True)
                ],
                colours=matplotlib.colormaps.get_cmap("Blues"),
                low=0,
                high=1,
            )
            axes.set_title(f"{arm.arm} ({formats.plural(arm.runs, 'run')})")

    heads: dict[str, Form] = dict.fromkeys(["arm", "true", *(f"as {name}" for name in names)], str)
    rows = [
        [
            arm.arm,
            true,
            *(f"{formats.count(c)} ({formats.percent(s)})" for c, s in zip(*pair, strict=True)),
        ]
        for arm in arms
        for true, *pair in zip(names, arm.confusion.counts, arm.confusion.shares, strict=True)
    ]
    return picture(
        "classes-confusion",
        "Confusion matrices on the test split",
        "Rows are true classes, columns predictions. The shade of a cell is its share of the row; "
        "its text is that share in per cent and, below, the count summed over the arm's runs. The "
        "diagonal is recall.",
        (9.5, _side(names) * ceil(len(arms) / 2)),
        paint,
        data=value_table("classes-confusion-data", "Confusion counts and row shares", heads, rows),
    )


def confusion_differences(section: ClassesPart) -> Picture:
    """A matrix per pair: first minus second, in points of the row's share."""
    pairs = section.pairs
    names = [row.class_ for row in section.classes]
    grids = [np.array(pair.share_differences.values) for pair in pairs]
    # Rounded up to five points, and five at least, so that noise stays pale.
    bound = max(0.05, ceil(max(float(np.abs(grid).max()) for grid in grids) * 20) / 20)

    def paint(figure: Figure) -> None:
        shown = panels(figure, len(pairs), across=min(len(pairs), 2))
        for pair, grid, axes in zip(pairs, grids, shown, strict=True):
            matrix(
                axes,
                grid,
                names,
                [[formats.signed_points(value) for value in row] for row in grid.tolist()],
                colours=DIVERGING,
                low=-bound,
                high=bound,
            )
            axes.set_title(pair_name(pair))

    several = len(pairs) > 1
    heads: dict[str, Form] = dict.fromkeys(["pair", "true"] if several else ["true"], str)
    heads |= {f"as {name}": formats.signed_points for name in names}
    rows = [
        [*([pair_name(pair)] * several), true, *shares]
        for pair, grid in zip(pairs, grids, strict=True)
        for true, shares in zip(names, grid.tolist(), strict=True)
    ]
    return picture(
        "classes-confusion-difference",
        "Difference of the confusion matrices",
        "In points of the row's share, descriptive: + where the first arm predicts this class more "
        "often, \N{MINUS SIGN} where the second does. On the diagonal + favours the first arm, "
        "elsewhere the second.",
        (9.5 if len(pairs) > 1 else 6.4, _side(names) * ceil(len(pairs) / 2)),
        paint,
        data=value_table(
            "classes-confusion-difference-data", "Difference of row shares, points", heads, rows
        ),
    )


def _side(names: Sequence[str]) -> float:
    return 1.3 + 0.56 * len(names)
