"""Colours of classes, the same in annotated videos and timelines."""

from __future__ import annotations

#: Colours of Okabe and Ito without black, which is unseen in dark mode, and Tol's wine: they differ
#: for colour-blind people, too. Further classes begin again; labels tell them apart.
PALETTE = (
    *("#E69F00", "#56B4E9", "#009E73", "#F0E442"),
    *("#0072B2", "#D55E00", "#CC79A7", "#882255"),
)
#: Of what is uncertain.
GREY = "#8C8C8C"


def colour_of(number: int) -> str:
    """The colour of a class, ``#rrggbb``."""
    return PALETTE[number % len(PALETTE)]


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on ``colour``: WCAG 2.2, relative luminance."""
    linear = [_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # The contrast to black is (L + 0.05) / 0.05, to white 1.05 / (L + 0.05).
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
