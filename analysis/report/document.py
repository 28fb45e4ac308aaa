"""Builds report.json: the one source from which the page, the Markdown and the summary come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, plain
from analysis.report.reading import typed
from analysis.report.schema import SCHEMA_MINOR, SCHEMA_VERSION
from analysis.report.topics import TOPICS, section_of
from analysis.report.verdict import arms, section
from analysis.settings import Settings
from fer_tune.errors import ResultsError
from fer_tune.schema import first_error

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
    """The whole report as JSON's own types, valid as :class:`analysis.report.schema.Report`.

    Args:
        settings: thresholds and choices of the reader; the defaults by default.

    Raises:
        ResultsError: the records hold a value that no report can have.
    """
    evidence = Evidence(search=search, settings=settings or Settings())
    report = {
        "schema_version": SCHEMA_VERSION,
        "schema_minor": SCHEMA_MINOR,
        "settings": asdict(evidence.settings),
        **{key: make(evidence) for key, make in FIRST_SCREEN.items()},
        **{topic: section_of(topic, evidence) for topic in TOPICS},
    }
    cleaned: Json = plain(report)
    try:
        typed(cleaned)
    except ValidationError as error:
        what, value = first_error(error)
        raise ResultsError(
            f"the report would not be valid: {what}",
            where=str(search.root),
            value=value,
            remedy="Check the folder's manifest.json and tables",
        ) from error
    return cleaned
