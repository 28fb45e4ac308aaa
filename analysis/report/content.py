"""From report.json alone to what is rendered: the first screen and the chapters, in order."""

from __future__ import annotations

from collections.abc import Callable

from analysis.report.blocks import Chapter
from analysis.report.chapters import (
    calibration,
    classes,
    cost,
    curves,
    data,
    disagreements,
    effect,
    fairness,
    method,
    parameters,
    stopping,
    tuning,
)
from analysis.report.cursor import At
from analysis.report.opening import opening
from analysis.report.quantities import Json
from analysis.report.render import Content

#: In the order of the page. A chapter without anything to say says why.
CHAPTERS: tuple[Callable[[At], Chapter | None], ...] = (
    effect.chapter,
    fairness.chapter,
    tuning.chapter,
    curves.chapter,
    classes.chapter,
    disagreements.chapter,
    data.chapter,
    calibration.chapter,
    parameters.chapter,
    stopping.chapter,
    cost.chapter,
    method.chapter,
)


def content_of(report: Json) -> Content:
    """What report.json has to show; chapters that do not apply to this search are left out."""
    at = At(report)
    made = [make(at) for make in CHAPTERS] if report["arms"] else [method.chapter(at)]
    return Content(opening=opening(at), chapters=tuple(c for c in made if c is not None))
