"""Builds report.json: the one source from which the page, the Markdown and the summary come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, plain
from analysis.report.topics import TOPICS, section_of
from analysis.report.verdict import arms, section
from analysis.settings import Settings

#: Of report.json; increased whenever a key changes its meaning or is removed.
REPORT_SCHEMA_VERSION = 2

#: The sections of the first screen; those of the topics follow.
FIRST_SCREEN: dict[str, Callable[[Evidence], Any]] = {
    "search": section.search_section,
    "verdict": section.verdict_section,
    "pairs": section.pair_sections,
    "arms": arms.arm_sections,
    "floors": arms.floor_sections,
    "validity": section.validity_section,
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
        **{key: make(evidence) for key, make in FIRST_SCREEN.items()},
        **{topic: section_of(topic, evidence) for topic in TOPICS},
    }
    cleaned: Json = plain(report)
    return cleaned
