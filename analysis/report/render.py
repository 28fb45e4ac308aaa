"""Renders report.json as one HTML page and as Markdown with figures beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis import formats
from analysis.report.figures import Drawing
from analysis.report.quantities import Json
from analysis.report.svg import inline

#: Folder of the Markdown's figures, beside it.
FIGURES = "figures"

_TITLES = {
    "trial": "trial",
    "replicate": "study",
    "stop_reason": "why it ended",
    "unfreeze_depth": "depth",
    "crop_size": "crop",
    "augment_policy": "augment",
    "best_epoch": "best epoch",
    "best_val_macro_f1": "val macro-F1",
    "best_val_loss": "val loss",
    "onset_epoch": "onset",
    "generalisation_gap": "gap",
    "peak_memory_mib": "peak MiB",
}
_CELLS = {
    "best_val_macro_f1": formats.score,
    "seconds": formats.count,
    "peak_memory_mib": formats.count,
}


def render_html(report: Json, drawings: Mapping[str, Drawing]) -> str:
    """The page: one file, no script, nothing to load."""
    figures = {name: Markup(inline(drawing.svg)) for name, drawing in drawings.items()}
    page = _environment(escape=True).get_template("report.html.j2")
    return page.render(report=report, figures=figures, drawings=drawings) + "\n"


def render_markdown(report: Json, drawings: Mapping[str, Drawing]) -> tuple[str, dict[str, str]]:
    """The Markdown, and its figures by path relative to it."""
    files = {f"{FIGURES}/{name}.svg": drawing.svg for name, drawing in drawings.items()}
    page = _environment(escape=False).get_template("report.md.j2")
    text = page.render(report=report, drawings=drawings, folder=FIGURES)
    return text + "\n", files


@cache
def _environment(*, escape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis", "templates"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scores = ("score", "points", "probability")
    shown = (*scores, "count", "millions", "hours", "duration", "general", "capped")
    environment.filters.update({name: getattr(formats, name) for name in shown})
    environment.filters.update(moment=_moment, heading=_heading, bar=_escape_bar, states=_states)
    environment.globals.update(cell=_cell, NOTHING=formats.NOTHING)
    return environment


def _states(counts: Json) -> str:
    """``8 complete, 3 pruned``: the states that occurred."""
    skipped = ("total",)
    said = [f"{number} {name}" for name, number in counts.items() if number and name not in skipped]
    return formats.listing(said) or "none"


def _moment(stamp: float | None) -> str:
    """Seconds since the epoch as a minute in UTC, so that every reader sees the same."""
    if stamp is None:
        return formats.NOTHING
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _heading(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " "))


def _cell(name: str, value: Any) -> str:
    return _CELLS.get(name, formats.general)(value)


def _escape_bar(text: object) -> str:
    """Text inside a Markdown table's cell."""
    return str(text).replace("|", "\\|").replace("\n", " ")
