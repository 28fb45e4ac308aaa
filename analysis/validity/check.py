"""What a check is, and what it looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.loading import Search
from analysis.pictures import PictureScores
from analysis.settings import Settings

Status = Literal["pass", "warn", "broken"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the checklist: ``name`` is what should hold, ``detail`` what was found.

    ``broken`` means that no comparison is made, ``warn`` is said on the first screen.
    """

    id: str
    name: str
    status: Status
    detail: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """A search, the arms in question, scores on pictures by name, the reader's thresholds."""

    search: Search
    arms: Sequence[str]
    scores: Mapping[str, PictureScores]
    settings: Settings
