"""The topics of the report, in order; a new chapter is one new folder and one line here.

A topic is a folder of this package with ``section.py``, which estimates one section of report.json
from the records, and ``chapter.py``, which presents it from report.json alone. Neither is imported
before it is called: estimating needs no Matplotlib, presenting no SciPy.
"""

from __future__ import annotations

from importlib import import_module

from analysis.report.evidence import Evidence
from analysis.report.presentation.blocks import Chapter
from analysis.report.quantities import Json
from analysis.report.schema import Report

TOPICS = (
    "effect",
    "fairness",
    "tuning",
    "curves",
    "classes",
    "disagreements",
    "data",
    "calibration",
    "parameters",
    "stopping",
    "cost",
    "probe",
    "prediction",
    "method",
)


def section_of(topic: str, evidence: Evidence) -> Json:
    """A topic's section of report.json."""
    section: Json = import_module(f"analysis.report.{topic}.section").section(evidence)
    return section


def chapter_of(topic: str, report: Report) -> Chapter:
    """A topic's chapter; where there is nothing to show, its lead says why."""
    chapter: Chapter = import_module(f"analysis.report.{topic}.chapter").chapter(report)
    return chapter
