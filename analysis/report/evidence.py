"""What every section of the report is estimated from, worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from analysis.compare import Pair, compare
from analysis.loading import Search
from analysis.pictures import Answers, PictureScores, answers_of, score_pictures
from analysis.settings import Settings
from analysis.validity import Check, checklist


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A search with what its verdict rests on.

    Attributes:
        search: the records.
        settings: the reader's.
        answers: on single test pictures, by arm and by floor.
        scores: recomputed from predictions, by arm and by floor.
        pairs: every comparison of two arms; one in most searches.
        checks: the validity checklist: the pair's own if there is one pair.
    """

    search: Search
    settings: Settings

    @cached_property
    def answers(self) -> Mapping[str, Answers]:
        return answers_of(self.search)

    @cached_property
    def scores(self) -> Mapping[str, PictureScores]:
        return score_pictures(self.search, self.answers)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        return compare(self.search, self.scores, self.settings)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        if len(self.pairs) == 1:
            return self.pairs[0].checks
        return checklist(self.search, self.search.arms, self.scores, self.settings)
