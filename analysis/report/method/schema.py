"""Types of the section on the method."""

from __future__ import annotations

from pydantic import Field

from analysis.report.values import NameValue, Part


class MethodPart(Part):
    """Method and threats to validity, and what a rerun needs."""

    sentences: tuple[str, ...] = Field(description="the method")
    threats: tuple[str, ...] = Field(description="threats to validity")
    seeds: tuple[NameValue, ...] = Field(description="seeds of the search")
    versions: tuple[NameValue, ...] = Field(description="versions of code and libraries")
    hardware: tuple[NameValue, ...] = Field(description="the machine")
