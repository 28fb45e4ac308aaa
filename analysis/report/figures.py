"""The report's figures, drawn from report.json alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.report.quantities import Json
from analysis.report.svg import INK, draw

#: Okabe and Ito's colours that stand out from white and from near-black; with a marker each,
#: so that no arm is told apart by colour alone.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
_GREY = "#808080"
#: Loss above this quantile of all epochs is cut off: one exploded trial would flatten the rest.
_SHOWN = 0.98
#: Share of a row from which white text stands out from its cell better than black.
_DARK = 0.71


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure: where it stands in the report, what it says, and its standalone SVG."""

    name: str
    title: str
    description: str
    svg: str


def draw_all(report: Json) -> dict[str, Drawing]:
    """Every figure for which there are data, by name: ``scores``, ``curves``, ``confusion``."""
    drawings = (_scores(report), _curves(report), _confusion(report))
    return {drawing.name: drawing for drawing in drawings if drawing is not None}


def _scores(report: Json) -> Drawing | None:
    arms = [arm for arm in report["arms"] if arm["test_macro_f1"]]
    if not arms:
        return None
    rows = [(arm["arm"], arm["test_macro_f1"], arm["units"]) for arm in arms]
    rows += [(floor["label"], floor["test_macro_f1"], []) for floor in report["floors"]]
    title = "Test macro-F1 of arms and floors"
    description = (
        f"One row per arm: a faint mark per {arms[0]['unit']}, the mean, and its 95 % interval "
        f"over {arms[0]['test_macro_f1']['of']}. Floors: the score and its 95 % interval over "
        "test pictures."
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, (_, score, units) in enumerate(rows):
            arm = place < len(arms)
            colour = PALETTE[place % len(PALETTE)] if arm else _GREY
            marker = MARKERS[place % len(MARKERS)] if arm else "|"
            if score["low"] is not None:
                axes.plot([score["low"], score["high"]], [place] * 2, color=colour, lw=2.5)
            values = [unit["test_macro_f1"] for unit in units]
            axes.plot(
                values, [place + 0.24] * len(values), marker, color=colour, ms=5, alpha=0.5, mew=0
            )
            axes.plot([score["value"]], [place], marker, color=colour, ms=9, mew=2 * (not arm))
        axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("macro-F1 on the test split")
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)

    size = (8.5, 0.9 + 0.5 * len(rows))
    svg = draw("scores", title, description, size, paint)
    return Drawing(name="scores", title=title, description=description, svg=svg)


def _curves(report: Json) -> Drawing | None:
    panels = [panel for panel in report["curves"] if panel["curves"]]
    if not panels:
        return None
    top = _top([curve for panel in panels for curve in panel["curves"]])
    title = "Learning curves per arm"
    description = (
        "Training loss (dashed) and validation loss (solid) of every trial against the epoch, "
        "faint; the chosen trials bold. A ring marks the onset of overfitting on a chosen trial, "
        f"a small triangle on any other. Losses above {top:.2f} are cut off."
    )

    def paint(figure: Figure) -> None:
        for number, (panel, axes) in enumerate(
            zip(panels, _grid(figure, len(panels)), strict=True)
        ):
            _curve_panel(axes, panel, PALETTE[number % len(PALETTE)])
            axes.set_ylim(0, top)
        _curve_legend(figure)

    height = 0.5 + 3.1 * ceil(len(panels) / 2)
    svg = draw("curves", title, description, (9.5, height), paint)
    return Drawing(name="curves", title=title, description=description, svg=svg)


def _top(curves: list[Json]) -> float:
    losses = [
        value
        for curve in curves
        for name in ("train_loss", "val_loss")
        for value in curve[name]
        if value is not None
    ]
    bold = [v for curve in curves if curve["chosen"] for v in curve["val_loss"] if v is not None]
    top = max([float(np.quantile(losses, _SHOWN)), *bold]) if losses else 1.0
    return 1.05 * top


def _curve_panel(axes: Axes, panel: Json, colour: str) -> None:
    for curve in sorted(panel["curves"], key=lambda curve: bool(curve["chosen"])):
        bold = curve["chosen"]
        look: dict[str, Any] = {"lw": 2.4, "alpha": 1.0} if bold else {"lw": 0.8, "alpha": 0.5}
        epochs = curve["epochs"]
        train, val = (
            np.array(curve[name], dtype=np.float64) for name in ("train_loss", "val_loss")
        )
        # A trial that ended after one epoch is a point, which no line shows.
        marker = "." if len(epochs) == 1 else "none"
        axes.plot(epochs, train, ls="--", marker=marker, color=INK if bold else _GREY, **look)
        axes.plot(epochs, val, ls="-", marker=marker, color=colour, **look)
        onset = curve["onset_epoch"]
        if onset in epochs:
            axes.plot(
                [onset],
                [val[epochs.index(onset)]],
                "o" if bold else "v",
                ms=9 if bold else 5,
                mfc="none" if bold else colour,
                mec=INK if bold else colour,
                mew=1.8 if bold else 0,
                alpha=1.0 if bold else 0.7,
                zorder=3,
            )
    axes.set_title(f"{panel['arm']} ({len(panel['curves'])} trials)")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (nats)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")


def _curve_legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=PALETTE[0], lw=2.4, label="validation, chosen"),
        Line2D([], [], color=INK, lw=2.4, ls="--", label="training, chosen"),
        Line2D([], [], color=PALETTE[0], lw=0.8, alpha=0.6, label="validation, others"),
        Line2D([], [], color=_GREY, lw=0.8, ls="--", label="training, others"),
        Line2D([], [], color=INK, marker="o", ls="", mfc="none", ms=8, label="onset, chosen"),
        Line2D([], [], color=PALETTE[0], marker="v", ls="", ms=5, mew=0, label="onset, others"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)


def _confusion(report: Json) -> Drawing | None:
    matrices = report["confusion"]
    if not matrices:
        return None
    title = "Confusion matrices on the test split"
    description = (
        "Rows are true classes, columns predicted ones. A cell's shade is its share of the row; "
        "its text gives that share in per cent and, below, the count summed over the arm's runs."
    )
    classes = len(matrices[0]["classes"])
    side = 1.3 + 0.56 * classes

    def paint(figure: Figure) -> None:
        for matrix, axes in zip(matrices, _grid(figure, len(matrices)), strict=True):
            _matrix_panel(axes, matrix)

    height = side * ceil(len(matrices) / 2)
    svg = draw("confusion", title, description, (9.5, height), paint)
    return Drawing(name="confusion", title=title, description=description, svg=svg)


def _matrix_panel(axes: Axes, matrix: Json) -> None:
    counts = np.array(matrix["counts"], dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    # Vector cells, not an image: sharp at any size, and the same bytes everywhere.
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.6)
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{100 * share:.0f}\n{counts[row, column]:.0f}",
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if share > _DARK else "black",
        )
    ticks = np.arange(len(counts)) + 0.5
    axes.set_xticks(ticks, matrix["classes"], rotation=40, ha="right")
    axes.set_yticks(ticks, matrix["classes"])
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{matrix['arm']} ({matrix['runs']} runs)")


def _grid(figure: Figure, panels: int) -> Iterator[Axes]:
    """``panels`` axes in rows of two; a single one keeps half the width."""
    shape = (ceil(panels / 2), 2)
    axes = figure.subplots(*shape, squeeze=False).ravel()
    for spare in axes[panels:]:
        spare.set_visible(False)
    return iter(axes[:panels])
