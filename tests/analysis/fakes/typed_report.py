"""Typed reports of documents, whole and of some sections alone."""

from __future__ import annotations

from pydantic import TypeAdapter

from analysis.report.quantities import Json
from analysis.report.reading import traced, typed
from analysis.report.schema import Report

__all__ = ["some", "typed"]


def some(sections: Json) -> Report:
    """A report of these sections; reading another one is an AttributeError."""
    found = {
        name: TypeAdapter(Report.model_fields[name].annotation).validate_python(section)
        for name, section in traced(sections).items()
    }
    return Report.model_construct(**found)
