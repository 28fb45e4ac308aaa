"""Parallel coordinates: a line per trial through its parameters to its score, a panel per arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.parameters.axes import (
    Drawn,
    Level,
    as_number,
    drawn_trials,
    ends,
    levels,
    place,
    spread,
    words,
)
from analysis.report.parameters.schema import Domain
from analysis.report.presentation.blocks import Picture, Table
from analysis.report.presentation.cells import Form
from analysis.report.presentation.plotting import GREY, panels
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Trials of an arm that score alike; ``below``: share of its trials that are better."""

    name: str
    below: float
    look: Mapping[str, Any]


_GROUPS = (
    _Group(name="best tenth", below=0.1, look={"color": INK, "ls": "-", "lw": 1.9}),
    _Group(name="best half", below=0.5, look={"color": GREY, "ls": "--", "lw": 1.0}),
    _Group(name="other half", below=1.1, look={"color": GREY, "ls": ":", "lw": 0.7}),
)
#: Background of a level's label, which is on top of the lines, readable in light and dark mode.
_PLATE = {"boxstyle": "round,pad=0.2", "facecolor": "#3f4652", "edgecolor": "none"}
#: Fewest arms with panels side by side.
_MANY = 4


def parallel_picture(report: Report) -> Picture | None:
    """A line per drawn trial, styled by the rank of its score in its arm."""
    parameters = report.parameters
    domains, trials = parameters.sampled, drawn_trials(parameters)
    arms = [a for a in report.search.arms if any(t.arm == a for t in trials)]
    if not domains or not arms:
        return None
    unit = str(parameters.unit)
    across = 2 if len(arms) >= _MANY else 1
    lower = bool(parameters.lower_is_better)
    scale = _scale(trials, lower=lower)

    def paint(figure: Figure) -> None:
        for arm, axes in zip(arms, panels(figure, len(arms), across=across), strict=True):
            own = [domain for domain in domains if arm in domain.arms]
            _panel(axes, own, [t for t in trials if t.arm == arm], scale, unit)
            axes.set_title(arm)
        handles = [Line2D([], [], label=group.name, **group.look) for group in _GROUPS]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)

    return picture(
        "parameters-parallel",
        "Parallel coordinates of the trials",
        f"A line per trial from parameter to parameter, ending at its {unit}. The line style shows "
        "the rank of the score among all trials of the arm: the best tenth solid and thick, the "
        "best half dashed, the other half dotted.",
        (11, 0.5 + 2.6 * ceil(len(arms) / across)),
        paint,
        data=_data(domains, arms, trials, unit),
    )


def _scale(trials: Sequence[Drawn], *, lower: bool) -> tuple[float, float]:
    """Scores at the bottom and the top of the last axis."""
    scores = [trial.score for trial in trials]
    return (max(scores), min(scores)) if lower else (min(scores), max(scores))


def _group(trial: Drawn) -> _Group:
    return next(group for group in _GROUPS if trial.better < group.below)


def _panel(
    axes: Axes,
    domains: Sequence[Domain],
    trials: Sequence[Drawn],
    scale: tuple[float, float],
    unit: str,
) -> None:
    bottom, top = scale
    # The best are drawn on top.
    for group in reversed(_GROUPS):
        xs: list[float] = []
        ys: list[float] = []
        for number, trial in enumerate(t for t in trials if _group(t) is group):
            heights = [_height(domain, trial, number) for domain in domains]
            heights.append((trial.score - bottom) / (top - bottom) if top != bottom else 1.0)
            # One path for all lines of a group, which end in gaps.
            xs += [*range(len(heights)), float("nan")]
            ys += [*heights, float("nan")]
        axes.plot(xs, ys, zorder=2, **group.look)
    for at, domain in enumerate(domains):
        _axis(axes, at, ends(domain), plates=levels(domain) is not None)
    score = [(0.0, formats.score(bottom)), (1.0, formats.score(top))]
    _axis(axes, len(domains), score, plates=False)
    names = [words(domain.parameter).replace(" ", "\n", 1) for domain in domains]
    axes.set_xticks(range(len(names) + 1), [*names, unit.replace(" ", "\n", 1)])
    axes.set_xlim(-0.35, len(names) + 0.35)
    axes.set_ylim(-0.16, 1.14)
    axes.tick_params(length=0, labelsize=9)
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _height(domain: Domain, trial: Drawn, number: int) -> float:
    """A value outside its domain, which a baseline may have, leaves a gap in the line."""
    at = place(domain, trial.values[domain.parameter])
    if at is None:
        return float("nan")
    known = levels(domain)
    return at if known is None else at + 0.25 / len(known) * spread(number)


def _axis(axes: Axes, at: int, labels: Sequence[tuple[float, str]], *, plates: bool) -> None:
    """An axis with its labels: levels on it, the ends of a range beyond it."""
    axes.plot([at, at], [0, 1], color=INK, lw=0.8, alpha=0.6, zorder=1)
    for height, label in labels:
        if plates:
            axes.text(
                at,
                height,
                label,
                fontsize=7.5,
                va="center",
                ha="center",
                color="white",
                bbox=_PLATE,
                zorder=5,
            )
        else:
            side, gap = ("bottom", 0.03) if height else ("top", -0.03)
            axes.text(at, height + gap, label, fontsize=8, ha="center", va=side)


def _data(
    domains: Sequence[Domain], arms: Sequence[str], trials: Sequence[Drawn], unit: str
) -> Table:
    """Summary of each group of lines; the slices have the table of single trials."""
    heads: dict[str, Form] = {
        "arm": str,
        "trials": str,
        "number": formats.count,
        f"median {unit}": formats.score,
        **{words(domain.parameter): str for domain in domains},
    }
    rows = []
    for arm in arms:
        for group in _GROUPS:
            mine = [t for t in trials if t.arm == arm and _group(t) is group]
            if mine:
                score = float(np.median([t.score for t in mine]))
                usual = [_usual(domain, arm, mine) for domain in domains]
                rows.append([arm, group.name, len(mine), score, *usual])
    return value_table("parameters-parallel-data", "Typical values by group of trials", heads, rows)


def _usual(domain: Domain, arm: str, trials: Sequence[Drawn]) -> str | None:
    """The most frequent value with its share, or the quartiles of a number."""
    name, known = domain.parameter, levels(domain)
    if arm not in domain.arms:
        return None
    values: list[Level] = [t.values[name] for t in trials if t.values[name] is not None]
    if not values:
        return None
    if known is None:
        numbers = [as_number(value) for value in values]
        low, high = np.quantile(numbers, [0.25, 0.75], method="inverted_cdf")
        return f"{formats.general(float(low))} to {formats.general(float(high))}"
    common = max(known, key=values.count)
    return f"{formats.general(common)} ({formats.percent(values.count(common) / len(values))})"
