"""Learning curves as figures: lines of every trial, or bands of quantiles with the chosen ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis import formats
from analysis.report.curves.schema import Bands, Curve, CurveArm, CurvesPart
from analysis.report.presentation.blocks import Picture, Table
from analysis.report.presentation.plotting import GREY, Look, looks, panels
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.values import Float, Int

#: Numbers by epoch; null where not finite.
Values = Sequence[Int | Float | None]

#: Losses above this quantile of all epochs are cut off: one diverged trial would flatten the rest.
_SHOWN = 0.98
#: Most epochs in a table of curves; of more, every second, third ... is shown.
_COLUMNS = 30
#: More chosen trials than this are drawn with thinner lines.
_FEW = 2


@dataclass(frozen=True, kw_only=True)
class _Series:
    """A series: of a trial, and of all trials by quantile. ``solid``: of the validation split."""

    label: str
    solid: bool
    curve: Callable[[Curve], Values]
    bands: Callable[[Bands], Sequence[Values]]

    @property
    def dash(self) -> str:
        return "-" if self.solid else "--"


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """The content of one figure: its series, the solid one last."""

    name: str
    title: str
    axis: str
    series: tuple[_Series, ...]
    form: Callable[[float | None], str]


_TRAINING = _Series(
    label="training",
    solid=False,
    curve=lambda curve: curve.train_loss,
    bands=lambda bands: bands.train_loss,
)
_VALIDATION = _Series(
    label="validation",
    solid=True,
    curve=lambda curve: curve.val_loss,
    bands=lambda bands: bands.val_loss,
)
_MACRO_F1 = _Series(
    label="validation",
    solid=True,
    curve=lambda curve: curve.val_macro_f1,
    bands=lambda bands: bands.val_macro_f1,
)
_LOSS = _Kind(
    name="curves-loss",
    title="Training and validation loss per arm",
    axis="loss (nats)",
    series=(_TRAINING, _VALIDATION),
    form=formats.score,
)
_SCORE = _Kind(
    name="curves-score",
    title="Validation macro-F1 per arm",
    axis="validation macro-F1",
    series=(_MACRO_F1,),
    form=formats.score,
)


def curve_pictures(report: Report) -> tuple[Picture, ...]:
    """Loss, then validation macro-F1, of arms with a trial that has reported."""
    curves = report.curves
    arms = [arm for arm in curves.arms if arm.trials]
    return tuple(_picture(kind, arms, curves, looks(report)) for kind in (_LOSS, _SCORE))


def _picture(
    kind: _Kind, arms: Sequence[CurveArm], curves: CurvesPart, styles: dict[str, Look]
) -> Picture:
    top, cut = _top(kind, arms) if kind is _LOSS else (None, False)
    last = max((epochs[-1] for arm in arms for epochs in _epochs(arm)), default=1)

    def paint(figure: Figure) -> None:
        shared = panels(figure, len(arms), sharey=True)
        for arm, axes in zip(arms, shared, strict=True):
            _panel(axes, kind, arm, styles[arm.arm])
            axes.set_xlim(0.5, last + 0.5)
            if top is not None:
                axes.set_ylim(0, top)
        figure.legend(
            handles=_handles(kind, each=curves.each_trial),
            loc="outside lower center",
            ncols=3,
            fontsize=9,
        )

    return picture(
        kind.name,
        kind.title,
        _description(kind, curves, top if cut else None),
        (9.5, 0.8 + 2.7 * ceil(len(arms) / 2)),
        paint,
        data=_data(kind, arms),
    )


def _description(kind: _Kind, curves: CurvesPart, cut_at: float | None) -> str:
    dashed = "training dashed, validation solid; " if kind is _LOSS else ""
    lines = (
        "A line per trial"
        if curves.each_trial
        else "Median and quantiles (10, 25, 75, 90 %) at each epoch over the trials that reached "
        "it, which are fewer and better after each rung"
    )
    cut = f" Losses above {cut_at:.2f} are cut off." if cut_at is not None else ""
    return (
        f"{lines}; {dashed}chosen trials bold. A ring marks the onset of overfitting of a chosen "
        f"trial{', a triangle that of any other' if curves.each_trial else ''}.{cut}"
    )


def _epochs(arm: CurveArm) -> Iterator[Sequence[int]]:
    """The epochs of everything that an arm has: its curves, its bands."""
    yield from (curve.epochs for curve in arm.curves)
    if arm.bands and arm.bands.epochs:
        yield arm.bands.epochs


def _top(kind: _Kind, arms: Sequence[CurveArm]) -> tuple[float, bool]:
    """Where the axis ends, and whether anything lies above."""
    curves = [curve for arm in arms for curve in arm.curves]
    bands = [arm.bands for arm in arms if arm.bands and arm.bands.epochs]
    values = [v for curve in curves for series in kind.series for v in _flat(series.curve(curve))]
    values += [v for band in bands for series in kind.series for v in _flat(series.bands(band))]
    finite = np.array(values)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 1.0, False
    bold = [v for c in curves if c.chosen for v in _flat(c.val_loss) if np.isfinite(v)]
    top = 1.05 * max([float(np.quantile(finite, _SHOWN)), *bold])
    return top, bool((finite > top).any())


def _flat(values: Values | Sequence[Values]) -> list[float]:
    """A curve's values or a band's rows of them, NaN where there is none."""
    return np.array(values, dtype=np.float64).ravel().tolist()


def _panel(axes: Axes, kind: _Kind, arm: CurveArm, style: Look) -> None:
    if arm.bands:
        for series in kind.series:
            _band(axes, arm.bands, series, style.colour if series.solid else GREY)
    chosen = sum(curve.chosen for curve in arm.curves)
    bold = 2.2 if chosen <= _FEW else 1.3
    for curve in sorted(arm.curves, key=lambda curve: bool(curve.chosen)):
        _lines(axes, kind, curve, style, bold)
    axes.set_title(f"{arm.arm} ({formats.plural(arm.trials, 'trial')})")
    axes.set_xlabel("epoch")
    place = axes.get_subplotspec()
    if place is not None and place.is_first_col():
        axes.set_ylabel(kind.axis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")


def _band(axes: Axes, bands: Bands, series: _Series, colour: str) -> None:
    if not bands.epochs:
        return
    levels = np.array(series.bands(bands), dtype=np.float64).T
    for inset in (0, 1):
        axes.fill_between(
            bands.epochs, levels[inset], levels[-1 - inset], color=colour, alpha=0.16, lw=0
        )
    axes.plot(bands.epochs, levels[2], series.dash, color=colour, lw=1.2, alpha=0.8)


def _lines(axes: Axes, kind: _Kind, curve: Curve, style: Look, bold: float) -> None:
    chosen, epochs = curve.chosen, curve.epochs
    width: dict[str, Any] = {"lw": bold} if chosen else {"lw": 0.8, "alpha": 0.5}
    # A trial of one epoch is a point, which a line does not show.
    marker = "." if len(epochs) == 1 else "none"
    for series in kind.series:
        values = np.array(series.curve(curve), dtype=np.float64)
        colour = style.colour if series.solid else INK if chosen else GREY
        axes.plot(epochs, values, series.dash, marker=marker, color=colour, **width)
    onset = curve.onset_epoch
    if onset is not None and onset in epochs:
        _onset(axes, onset, values[epochs.index(onset)], style, chosen=chosen)


def _onset(axes: Axes, epoch: int, value: float, style: Look, *, chosen: bool) -> None:
    if chosen:
        axes.plot([epoch], [value], "o", ms=9, mfc="none", mec=INK, mew=1.6, zorder=3)
    else:
        axes.plot([epoch], [value], "v", ms=5, color=style.colour, mew=0, alpha=0.7, zorder=3)


def _handles(kind: _Kind, *, each: bool) -> list[Any]:
    """Legend of lines, bands and markers, in the text colour in place of an arm's."""
    loss = kind is _LOSS
    handles: list[Any] = [Line2D([], [], color=INK, lw=2.2, label="validation, chosen")]
    if loss:
        handles.append(Line2D([], [], color=INK, lw=2.2, ls="--", label="training, chosen"))
    handles.append(
        Line2D([], [], color=INK, marker="o", ls="", mfc="none", ms=8, label="onset, chosen")
    )
    if each:
        handles.append(Line2D([], [], color=INK, lw=0.8, label="validation, others"))
        if loss:
            handles.append(Line2D([], [], color=GREY, lw=0.8, ls="--", label="training, others"))
        handles.append(Line2D([], [], color=INK, marker="v", ls="", ms=5, label="onset, others"))
    else:
        handles += [
            Patch(color=INK, alpha=0.3, lw=0, label="25 to 75 % of trials"),
            Patch(color=INK, alpha=0.15, lw=0, label="10 to 90 %"),
        ]
    return handles


# -- the data -------------------------------------------------------------------------------


def _data(kind: _Kind, arms: Sequence[CurveArm]) -> Table:
    """A row per line, a column per epoch."""
    rows = [row for arm in arms for row in _rows(kind, arm)]
    last = max((epoch for _, _, values in rows for epoch in values), default=0)
    step = max(1, ceil(last / _COLUMNS))
    epochs = range(1, last + 1, step)
    heads: dict[str, Callable[[Any], str]] = {"arm": str, "curve": str}
    heads |= {f"epoch {epoch}": kind.form for epoch in epochs}
    return value_table(
        f"{kind.name}-data",
        kind.title,
        heads,
        [(arm, curve, *(values.get(epoch) for epoch in epochs)) for arm, curve, values in rows],
    )


def _rows(kind: _Kind, arm: CurveArm) -> Iterable[tuple[str, str, dict[int, float | None]]]:
    for series in kind.series:
        if arm.bands:
            bands = arm.bands
            for place, quantile in enumerate(bands.quantiles):
                level = [row[place] for row in series.bands(bands)]
                yield (
                    arm.arm,
                    f"{series.label}, {formats.percent(quantile)} quantile",
                    dict(zip(bands.epochs, level, strict=True)),
                )
        for curve in arm.curves:
            chosen = ", chosen" if curve.chosen else ""
            onset = f", onset {curve.onset_epoch}" if curve.onset_epoch else ""
            values = dict[int, float | None](zip(curve.epochs, series.curve(curve), strict=True))
            yield arm.arm, f"{series.label}, trial {curve.trial}{chosen}{onset}", values
