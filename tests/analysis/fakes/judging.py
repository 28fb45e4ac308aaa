"""The part of report.json that the verdict rests on, without the chapters below it."""

from __future__ import annotations

from analysis.inputs.search import Search
from analysis.report.document import FIRST_SCREEN
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, plain
from analysis.settings import Settings

_NAMES = ("search", "verdict", "pairs", "arms", "floors", "validity")


def judged(search: Search, settings: Settings | None = None) -> Json:
    """As :func:`analysis.report.build`, which takes much longer for its other sections."""
    evidence = Evidence(search=search, settings=settings or Settings())
    found: Json = plain({name: FIRST_SCREEN[name](evidence) for name in _NAMES})
    return found
