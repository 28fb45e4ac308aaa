"""A validity check and its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.inputs.pictures import PictureScores
from analysis.inputs.search import Search
from analysis.settings import Settings

Status = Literal["pass", "warn", "broken"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the checklist: ``name`` is the requirement, ``detail`` the finding.

    ``broken`` means that the arms are not compared; ``warn`` is shown on the first screen.
    """

    id: str
    name: str
    status: Status
    detail: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """The search, the arms to compare, picture scores by arm or floor, and thresholds."""

    search: Search
    arms: Sequence[str]
    scores: Mapping[str, PictureScores]
    settings: Settings
