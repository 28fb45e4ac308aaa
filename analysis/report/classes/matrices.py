"""Square heat maps with text of sufficient contrast in every cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from numpy.typing import NDArray

#: From cells that the second arm has more often to those that the first has more often.
DIVERGING = LinearSegmentedColormap.from_list("diverging", ["#B35806", "#FFFFFF", "#2166AC"])


def matrix(
    axes: Axes,
    values: NDArray[np.float64],
    labels: Sequence[str],
    words: Sequence[Sequence[str]],
    *,
    colours: Colormap,
    low: float,
    high: float,
) -> None:
    """Draws ``values`` (C, C), rows true and columns predicted, coloured from low to high.

    Args:
        words: text of every cell, row by row.
    """
    # Vector cells, not an image: sharp at any size, and the same bytes everywhere.
    axes.pcolormesh(values, cmap=colours, vmin=low, vmax=high, edgecolors="white", linewidth=0.6)
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            column + 0.5,
            row + 0.5,
            words[row][column],
            ha="center",
            va="center",
            fontsize=8,
            color=ink_on(colours((value - low) / (high - low))),
        )
    ticks = np.arange(len(values)) + 0.5
    axes.set_xticks(ticks, labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def ink_on(colour: tuple[float, float, float, float]) -> str:
    """Black or white, whichever contrasts more with ``colour``: 4.58 at least.

    Source: Web Content Accessibility Guidelines 2.1, "relative luminance", "contrast ratio".
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return "black" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "white"
