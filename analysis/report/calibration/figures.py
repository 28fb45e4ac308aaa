"""The reliability diagram: accuracy against confidence, and the number of predictions."""

from __future__ import annotations

from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import formats
from analysis.report.calibration.schema import CalibrationArm, CalibrationPart
from analysis.report.presentation.blocks import Drawing
from analysis.report.presentation.plotting import Look, looks
from analysis.report.presentation.svg import INK, draw
from analysis.report.schema import Report

#: Share of an arm's predictions below which a bin's marker is hollow.
_FEW = 0.01
#: Panels side by side.
_ACROSS = 3


def reliability(report: Report, section: CalibrationPart) -> Drawing:
    """A panel per arm, its bins' counts beneath."""
    arms, styles = section.arms, looks(report)
    across = min(len(arms), _ACROSS)
    bands = ceil(len(arms) / across)

    def paint(figure: Figure) -> None:
        axes = figure.subplots(2 * bands, across, squeeze=False, height_ratios=[3, 1] * bands)
        for spare in axes.ravel():
            spare.set_visible(False)
        for number, arm in enumerate(arms):
            band, column = divmod(number, across)
            style = styles[arm.arm]
            _accuracy(axes[2 * band, column], arm, style)
            _counts(axes[2 * band + 1, column], arm, style)

    return draw(
        "calibration-reliability",
        "Reliability diagram",
        "Above: accuracy in each bin of confidence, all runs pooled; on the dashed line an arm is "
        "perfectly calibrated, below it over-confident, above it under-confident. Hollow markers: "
        "fewer than 1 % of the predictions. Below: predictions per bin. Descriptive.",
        (6.4 if across == 1 else 9.5, 0.3 + bands * (4.6 if across < _ACROSS else 4.2)),
        paint,
    )


def _accuracy(axes: Axes, arm: CalibrationArm, style: Look) -> None:
    axes.set_visible(True)
    bins = arm.reliability
    answers = np.array(bins.answers)
    filled = answers > 0
    # Null of an empty bin becomes NaN.
    confidence, accuracy = (
        np.array(shares, dtype=np.float64)[filled] for shares in (bins.confidence, bins.accuracy)
    )
    axes.plot([0, 1], [0, 1], color=INK, lw=1, ls="--")
    axes.vlines(confidence, accuracy, confidence, color=style.colour, lw=1, alpha=0.5)
    axes.plot(confidence, accuracy, color=style.colour, lw=1.5)
    few = answers[filled] < _FEW * answers.sum()
    for some, face in ((~few, style.colour), (few, "none")):
        if not some.any():
            continue  # no unclipped markers, for which the layout would reserve space
        axes.plot(
            confidence[some],
            accuracy[some],
            style.marker,
            color=style.colour,
            mfc=face,
            ms=6,
            clip_on=False,
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_title(f"{arm.arm} ({formats.plural(arm.runs, 'run')})")
    axes.set_ylabel("accuracy")
    axes.grid()


def _counts(axes: Axes, arm: CalibrationArm, style: Look) -> None:
    axes.set_visible(True)
    bins = arm.reliability
    edges = np.array(bins.edges)
    axes.bar(edges[:-1], bins.answers, np.diff(edges), align="edge", color=style.colour, alpha=0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("predictions")
