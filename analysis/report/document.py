"""Builds report.json: the one source from which the page, the Markdown and the summary come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from analysis.loading import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, plain
from analysis.report.sections import (
    arms,
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
    verdict,
)
from analysis.settings import Settings

#: Of report.json; raised whenever a key changes its meaning or goes.
REPORT_SCHEMA_VERSION = 2

#: What stands in report.json under which key, in order.
SECTIONS: dict[str, Callable[[Evidence], Any]] = {
    "search": verdict.search_section,
    "verdict": verdict.verdict_section,
    "pairs": verdict.pair_sections,
    "arms": arms.arm_sections,
    "floors": arms.floor_sections,
    "validity": verdict.validity_section,
    "effect": effect.section,
    "fairness": fairness.section,
    "tuning": tuning.section,
    "curves": curves.section,
    "classes": classes.section,
    "disagreements": disagreements.section,
    "data": data.section,
    "calibration": calibration.section,
    "parameters": parameters.section,
    "stopping": stopping.section,
    "cost": cost.section,
    "method": method.section,
}


def build(search: Search, settings: Settings | None = None) -> Json:
    """The whole report as JSON's own types.

    Args:
        settings: thresholds and choices of the reader; the defaults by default.
    """
    evidence = Evidence(search=search, settings=settings or Settings())
    report = {
        "schema_version": REPORT_SCHEMA_VERSION,
        "settings": asdict(evidence.settings),
        **{name: section(evidence) for name, section in SECTIONS.items()},
    }
    cleaned: Json = plain(report)
    return cleaned
