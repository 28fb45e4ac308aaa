"""Effect size: alternative analyses, selection optimism, single checkpoints, groups of arms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.estimators.cliques import cliques
from analysis.estimators.estimate import LEVEL
from analysis.inputs.search import Search
from analysis.inputs.units import arm_units
from analysis.report.answered import compared_pairs, unit_word
from analysis.report.effect.checkpoints import checkpoint_section, duel
from analysis.report.effect.optimism import optimism
from analysis.report.evidence import Evidence
from analysis.report.quantities import F1, SHARE, Json, estimated, quantity
from analysis.verdict.compare import Pair
from analysis.verdict.opinions import Opinion, opinions
from analysis.verdict.wording import because

_NAMES = {
    "welch": "verdict: Welch's t",
    "bca": "BCa bootstrap",
    "permutation": "permutation test",
    "clean": "Welch's t, clean pictures",
    "accuracy": "Welch's t, accuracy",
}
_TESTS = {"permutation": "permutation test, two-sided"}


def section(evidence: Evidence) -> Json:
    """More on the ``arms`` and ``pairs`` of report.json, in their order."""
    search, pairs = evidence.search, evidence.pairs
    # Of many pairs the leading one alone, as in the other chapters on single pictures.
    close = [set(pair) for pair in compared_pairs(evidence)]
    return {
        "arms": [
            {
                "arm": arm,
                "optimism": optimism(search, arm),
                "checkpoint": checkpoint_section(evidence, arm),
            }
            for arm in search.arms
        ],
        "pairs": [
            _pair(evidence, pair, analyses, {pair.first, pair.second} in close)
            for pair, analyses in zip(pairs, opinions(search, pairs), strict=True)
        ],
        "groups": _groups(evidence) if len(search.arms) > 2 else [],
        "runs": _runs(search),
    }


def _pair(evidence: Evidence, pair: Pair, analyses: Sequence[Opinion], close: bool) -> Json:
    decided = pair.difference is not None and pair.kind != "not comparable"
    return {
        "first": pair.first,
        "second": pair.second,
        "because": because(pair, evidence.settings.smallest_effect) if decided else None,
        "opinions": [_opinion(one, unit_word(evidence)) for one in analyses],
        "checkpoints": duel(evidence, pair) if close else None,
    }


def _opinion(one: Opinion, of: str) -> Json:
    n = one.estimate.n if one.estimate else 0
    unit = SHARE if one.id == "accuracy" else F1
    test = _TESTS.get(one.id, "Welch's t test, two-sided")

    def p(value: float | None, words: str) -> Json | None:
        if value is None:
            return None
        return quantity(value, unit="probability", n=n, of=of, estimator=words)

    return {
        "id": one.id,
        "name": _NAMES[one.id],
        "estimate": estimated(one.estimate, unit=unit, of=f"{of} in the smaller arm"),
        "p_value": p(one.p_value, test),
        "p_holm": p(one.p_holm, f"{test}, Holm over all pairs"),
        "least": p(one.least or None, "smallest possible p-value"),
        "excludes_zero": one.excludes_zero,
    }


def _groups(evidence: Evidence) -> list[list[str]]:
    """Arms without significant differences, by descending mean; groups may overlap."""
    arms = sorted(
        (arm for arm in evidence.search.arms if arm_units(evidence.search, arm).n),
        key=lambda arm: -float(arm_units(evidence.search, arm).values.mean()),
    )
    place = {arm: number for number, arm in enumerate(arms)}
    apart = np.zeros((len(arms), len(arms)), dtype=np.bool_)
    for pair in evidence.pairs:
        if pair.p_holm is not None and pair.p_holm < 1 - LEVEL:
            i, j = place[pair.first], place[pair.second]
            apart[i, j] = apart[j, i] = True
    return [[arms[i] for i in run] for run in cliques(range(len(arms)), apart)] if arms else []


def _runs(search: Search) -> list[Json]:
    """The score of every confirmation run, ordered by arm, study and run."""
    table = search.confirmations.dropna(subset="test_macro_f1")
    order = {arm: number for number, arm in enumerate(search.arms)}
    rows = table.assign(place=table["arm"].map(order)).sort_values(["place", "replicate", "trial"])
    columns = ["arm", "replicate", "seed", "trial", "test_macro_f1"]
    return [
        dict(zip((*columns, "unit"), (*values, F1), strict=True))
        for values in rows[columns].itertuples(index=False)
    ]
