"""Onset of overfitting: by arm and unfreeze depth as a figure, by arm as a table."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.curves.schema import CurvesPart, DepthOnset, Onset, OnsetArm
from analysis.report.presentation.blocks import Cell, Picture, Row, Table, columns, text
from analysis.report.presentation.cells import cell, estimate
from analysis.report.presentation.dots import Dot, arm_handles, draw_dots
from analysis.report.presentation.plotting import Look, looks
from analysis.report.presentation.svg import INK, picture
from analysis.report.schema import Report
from analysis.report.values import Quantity


def onset_words(onset: Onset) -> str:
    """A median onset with its interval, or why there is none."""
    if onset.median is None:
        return "unknown: no trial ran long enough"
    overfitted = onset.overfitted
    counted = overfitted + onset.not_reached
    value, low, high = onset.median.span
    if value is None:
        return f"not reached: {overfitted} of {formats.plural(counted, 'trial')} overfitted"
    if low is None:
        return f"epoch {formats.general(value)} (of {formats.plural(counted, 'trial')})"
    return f"epoch {formats.general(value)}{interval_words(low, high)}"


def interval_words(low: float | None, high: float | None) -> str:
    """The 95 % interval in brackets; nothing where there is none."""
    if low is None:
        return ""
    if high is None:
        return f" (95 % interval from {formats.general(low)}, open above)"
    return f" (95 % interval {formats.general(low)} to {formats.general(high)})"


def arms_onset_table(onsets: Sequence[OnsetArm]) -> Table:
    """Per arm over all depths: onset, trials, generalisation gap, macro-F1 after the onset."""
    names = ("median onset", "overfitted", "did not", "excluded", "generalisation gap",
             "best macro-F1 after the onset")  # fmt: skip
    return Table(
        name="curves-arms",
        label="Overfitting by arm",
        columns=columns("arm", *names),
        rows=tuple(
            Row(
                cells=(
                    text(entry.arm),
                    *_onset_cells(entry.all),
                    estimate(entry.gap, formats.score),
                    estimate(entry.late_best.share, formats.percent),
                )
            )
            for entry in onsets
        ),
        caption="Small print: 95 % intervals. Did not: completed all epochs without an onset; "
        "counts as later than all others (censored). Excluded: stopped by ASHA, diverged or failed "
        "before an onset. Trials that overfit early meet fewer rungs, so medians are slightly too "
        "early, in all arms alike. Generalisation gap: validation minus training loss at the best "
        "epoch in nats, median over trials trained to the end.",
    )


def onset_picture(report: Report) -> Picture | None:
    """Medians with intervals by depth and arm, and the onsets of manual fine-tuning.

    None where no depth of any arm reached its median.
    """
    curves, styles = report.curves, looks(report)
    entries = [entry for entry in curves.onsets if entry.depths]
    depths = sorted({row.depth for entry in entries for row in entry.depths})
    medians = [row.median for entry in entries for row in entry.depths if row.median]
    if not any(median.value is not None for median in medians):
        return None
    by_hand = [entry for entry in entries if entry.by_hand is not None]
    ceiling = _ceiling(curves, medians, by_hand)
    dots = [
        _dot(row.median, depths.index(row.depth), place)
        for place, entry in enumerate(entries)
        for row in entry.depths
        if row.median
    ]
    mine = [styles[entry.arm] for entry in entries]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        draw_dots(axes, dots, mine, [str(depth) for depth in depths], ceiling=ceiling)
        for entry in by_hand:
            _manual_onset(axes, entry, styles[entry.arm])
        axes.set_ylim(0, ceiling + 0.8)
        axes.set_xlabel("unfreeze depth (trained stages, counted from the head)")
        axes.set_ylabel("onset of overfitting (epoch)")
        handles = arm_handles([entry.arm for entry in entries], mine)
        if by_hand:
            handles.append(Line2D([], [], color=INK, lw=1.4, ls=":", label="manual fine-tuning"))
        figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=9)

    return picture(
        "curves-onset",
        "Onset of overfitting by unfreeze depth",
        "Median onset over trials with its distribution-free 95 % interval, for at least six "
        "trials; a hollow marker at the top where no more than half overfitted, an arrow where the "
        "interval is open above."
        + (" Dotted: the onset in manual fine-tuning." if by_hand else ""),
        (9.5, 4.0),
        paint,
        data=_depth_table(entries),
    )


def _ceiling(curves: CurvesPart, medians: Sequence[Quantity], by_hand: Sequence[OnsetArm]) -> float:
    ends = [end for median in medians for end in median.span]
    seen = [curves.max_epochs, *ends, *(entry.by_hand for entry in by_hand)]
    return max(float(value) for value in seen if value is not None) + 1


def _dot(median: Quantity, category: int, arm: int) -> Dot:
    value, low, high = median.span
    return Dot(
        category=category,
        arm=arm,
        value=value,
        low=low,
        high=high,
        open_above=low is not None and high is None,
    )


def _manual_onset(axes: Axes, entry: OnsetArm, style: Look) -> None:
    epoch = entry.by_hand
    assert epoch is not None
    axes.axhline(epoch, color=style.colour, lw=1.4, ls=":")
    axes.annotate(
        f"{entry.arm}\nmanual: {epoch}",
        (1, epoch),
        xycoords=("axes fraction", "data"),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
    )


def _depth_table(entries: Sequence[OnsetArm]) -> Table:
    rows = [
        Row(
            cells=(
                text(entry.arm),
                cell(row.depth, formats.count) if isinstance(row, DepthOnset) else text("all"),
                *_onset_cells(row),
            ),
            strong=not isinstance(row, DepthOnset),
        )
        for entry in entries
        for row in (*entry.depths, entry.all)
    ]
    numeric = ("overfitted", "did not", "excluded")
    return Table(
        name="curves-onset-data",
        label="Onset of overfitting by arm and unfreeze depth",
        columns=columns("arm", "unfreeze depth", "median onset", *numeric, numeric=numeric),
        rows=tuple(rows),
        tall=len(rows) > 12,
    )


def _onset_cells(onset: Onset) -> tuple[Cell, ...]:
    counts = (onset.overfitted, onset.not_reached, onset.left_out)
    return (_median_cell(onset), *(cell(number, formats.count) for number in counts))


def _median_cell(onset: Onset) -> Cell:
    median = onset.median
    if not median:
        return text(formats.NOTHING)
    value, low, high = median.span
    small = "" if high is not None else interval_words(low, high).strip(" ()")
    if value is None:
        return text("not reached", small=small)
    return estimate(median, formats.general, small=small)
