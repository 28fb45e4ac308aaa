"""Score against each sampled parameter: a small panel per parameter, a mark per trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import formats
from analysis.report.blocks import Picture, Table
from analysis.report.chapters.parameter_axes import Drawn, drawn_trials, levels, spread, words
from analysis.report.cursor import At, Form
from analysis.report.plotting import GREY, Look, looks, panels
from analysis.report.rows import value_table
from analysis.report.svg import INK, draw

_ACROSS = 4
#: Share of a level's room that its marks spread over.
_WIDTH = 0.8
_RING: Mapping[str, Any] = {"ls": "", "marker": "o", "ms": 8, "mfc": "none", "mec": INK, "mew": 1}


def slices_picture(report: At) -> Picture | None:
    """Every drawn trial's score against each parameter that it sampled."""
    parameters = report["parameters"]
    domains, trials = parameters["sampled"].value, drawn_trials(parameters)
    if not domains or not trials:
        return None
    styles, unit = looks(report), str(parameters["unit"].value)
    arms = [arm for arm in styles if any(trial.arm == arm for trial in trials)]

    def paint(figure: Figure) -> None:
        all_axes = list(panels(figure, len(domains), across=_ACROSS, sharey=True))
        for number, (domain, axes) in enumerate(zip(domains, all_axes, strict=True)):
            _panel(axes, domain, trials, arms, styles)
            if number % _ACROSS == 0:
                axes.set_ylabel(unit)
        if parameters["lower_is_better"].value:
            all_axes[0].invert_yaxis()
        figure.legend(
            handles=_handles(arms, styles), loc="outside lower center", ncols=4, fontsize=9
        )

    drawing = draw(
        "parameters-slices",
        "Score against each hyperparameter",
        f"A mark per trial: its best {unit} against the value it had, by arm. Hollow: stopped "
        "before its own end, so that its score is a lower bound. Ringed: chosen. Marks with the "
        "same value are spread to be seen.",
        (11, 0.7 + 2.3 * ceil(len(domains) / _ACROSS)),
        paint,
    )
    return Picture(drawing=drawing, data=_data(domains, trials, unit))


def _panel(
    axes: Axes,
    domain: Mapping[str, Any],
    trials: Sequence[Drawn],
    arms: Sequence[str],
    styles: Mapping[str, Look],
) -> None:
    name, known = domain["parameter"], levels(domain)
    for lane, arm in enumerate(arms):
        if arm in domain["arms"]:
            mine = [trial for trial in trials if trial.arm == arm and _shown(domain, trial)]
            at = [
                _across(known, trial.values[name], lane, len(arms), number)
                for number, trial in enumerate(mine)
            ]
            _marks(axes, at, mine, styles[arm])
    if known is not None:
        axes.set_xticks(range(len(known)), [formats.general(value) for value in known])
        axes.set_xlim(-0.5, len(known) - 0.5)
    elif domain["log"]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter("")
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(words(name))
    axes.grid(axis="y")


def _shown(domain: Mapping[str, Any], trial: Drawn) -> bool:
    known, value = levels(domain), trial.values[domain["parameter"]]
    return value is not None if known is None else value in known


def _across(known: Sequence[Any] | None, value: Any, lane: int, lanes: int, number: int) -> float:
    """Where a value stands: levels evenly, each arm in a lane of its own."""
    if known is None:
        return float(value)
    width = _WIDTH / lanes
    return known.index(value) + (lane - (lanes - 1) / 2) * width + 0.8 * width * spread(number)


def _marks(axes: Axes, at: Sequence[float], trials: Sequence[Drawn], style: Look) -> None:
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
    handles: list[Artist] = [
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
    handles.append(
        Line2D([], [], ls="", marker="o", mfc="none", mec=GREY, ms=6, mew=1, label="stopped early")
    )
    handles.append(Line2D([], [], label="chosen", **_RING))
    return handles


def _data(domains: Sequence[Mapping[str, Any]], trials: Sequence[Drawn], unit: str) -> Table:
    names = [domain["parameter"] for domain in domains]
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
