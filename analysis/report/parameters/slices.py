"""Score against each sampled parameter: a small panel per parameter, a marker per trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.parameters.axes import (
    Drawn,
    Level,
    as_number,
    drawn_trials,
    levels,
    spread,
    words,
)
from analysis.report.parameters.schema import Domain
from analysis.report.presentation.blocks import Picture, Table
from analysis.report.presentation.cells import Form
from analysis.report.presentation.plotting import GREY, Look, looks, panels, power_of_ten
from analysis.report.presentation.svg import INK, picture
from analysis.report.presentation.tables import value_table
from analysis.report.schema import Report
from analysis.report.values import Scalar

_ACROSS = 4
#: Share of a level's width that its markers spread over.
_WIDTH = 0.8
_RING: Mapping[str, Any] = {"ls": "", "marker": "o", "ms": 8, "mfc": "none", "mec": INK, "mew": 1}


def slices_picture(report: Report) -> Picture | None:
    """Every drawn trial's score against each parameter that it sampled."""
    parameters = report.parameters
    domains, trials = parameters.sampled, drawn_trials(parameters)
    if not domains or not trials:
        return None
    styles, unit = looks(report), str(parameters.unit)
    arms = [arm for arm in styles if any(trial.arm == arm for trial in trials)]

    def paint(figure: Figure) -> None:
        all_axes = list(panels(figure, len(domains), across=_ACROSS, sharey=True))
        for number, (domain, axes) in enumerate(zip(domains, all_axes, strict=True)):
            _panel(axes, domain, trials, arms, styles)
            if number % _ACROSS == 0:
                axes.set_ylabel(unit)
        if parameters.lower_is_better:
            all_axes[0].invert_yaxis()
        figure.legend(
            handles=_handles(arms, styles), loc="outside lower center", ncols=4, fontsize=9
        )

    return picture(
        "parameters-slices",
        "Score against each hyperparameter",
        f"A marker per trial: its best {unit} against the parameter's value, by arm. Hollow: "
        "stopped early, so the score is a lower bound. Ringed: chosen. Markers of the same value "
        "are spread horizontally.",
        (11, 0.7 + 2.3 * ceil(len(domains) / _ACROSS)),
        paint,
        data=_data(domains, trials, unit),
    )


def _panel(
    axes: Axes,
    domain: Domain,
    trials: Sequence[Drawn],
    arms: Sequence[str],
    styles: Mapping[str, Look],
) -> None:
    name, known = domain.parameter, levels(domain)
    for lane, arm in enumerate(arms):
        if arm in domain.arms:
            mine = [trial for trial in trials if trial.arm == arm and _shown(domain, trial)]
            at = [
                _across(known, trial.values[name], lane, len(arms), number)
                for number, trial in enumerate(mine)
            ]
            _markers(axes, at, mine, styles[arm])
    if known is not None:
        axes.set_xticks(range(len(known)), [formats.general(value) for value in known])
        axes.set_xlim(-0.5, len(known) - 0.5)
    elif domain.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(power_of_ten)
        axes.xaxis.set_minor_formatter("")
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(words(name))
    axes.grid(axis="y")


def _shown(domain: Domain, trial: Drawn) -> bool:
    known, value = levels(domain), trial.values[domain.parameter]
    return value is not None if known is None else value in known


def _across(
    known: Sequence[Level] | None, value: Scalar, lane: int, lanes: int, number: int
) -> float:
    """Position of a value: levels evenly spaced, with a lane per arm."""
    if known is None:
        return float(as_number(value))
    width = _WIDTH / lanes
    return known.index(value) + (lane - (lanes - 1) / 2) * width + 0.8 * width * spread(number)


def _markers(axes: Axes, at: Sequence[float], trials: Sequence[Drawn], style: Look) -> None:
    for hollow in (True, False):
        points = [(x, t.score) for x, t in zip(at, trials, strict=True) if t.stopped is hollow]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            style.marker,
            ms=4.5,
            color=style.colour,
            mfc="none" if hollow else style.colour,
            mew=0.8 if hollow else 0,
        )
    rings = [(x, t.score) for x, t in zip(at, trials, strict=True) if t.chosen]
    axes.plot([x for x, _ in rings], [y for _, y in rings], **_RING)


def _handles(arms: Sequence[str], styles: Mapping[str, Look]) -> list[Artist]:
    names = [
        Line2D(
            [],
            [],
            ls="",
            marker=styles[arm].marker,
            color=styles[arm].colour,
            ms=6,
            mew=0,
            label=arm,
        )
        for arm in arms
    ]
    return [
        *names,
        Line2D([], [], ls="", marker="o", mfc="none", mec=GREY, ms=6, mew=1, label="stopped early"),
        Line2D([], [], label="chosen", **_RING),
    ]


def _data(domains: Sequence[Domain], trials: Sequence[Drawn], unit: str) -> Table:
    names = [domain.parameter for domain in domains]
    heads: dict[str, Form] = {
        "arm": str,
        "trial": formats.count,
        unit: formats.score,
        "stopped early": formats.general,
        "chosen": formats.general,
        **{words(name): formats.general for name in names},
    }
    rows = [
        [t.arm, t.trial, t.score, t.stopped, t.chosen, *(t.values[name] for name in names)]
        for t in trials
    ]
    return value_table("parameters-slices-data", "The trials of the figure", heads, rows)
