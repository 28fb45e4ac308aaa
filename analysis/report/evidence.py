"""The input of every section of the report, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from analysis.inputs.pictures import Answers, PictureScores, answers_of, score_pictures
from analysis.inputs.search import Search
from analysis.settings import Settings
from analysis.validity import Check, checklist
from analysis.verdict.compare import Pair, compare


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A search with the estimates that its verdict is based on.

    Attributes:
        search: the records.
        settings: the reader's.
        answers: predictions for single test pictures, by arm and by floor.
        scores: recomputed from the predictions, by arm and by floor.
        pairs: every comparison of two arms; one in most searches.
        checks: the validity checklist; that of the pair if there is only one.
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
