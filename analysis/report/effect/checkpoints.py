"""Comparison of two single checkpoints, which says nothing about configurations or families.

The checkpoint of an arm is its confirmation run with the best validation score, the one that a
user would deploy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.estimators.pictures.images import paired_difference
from analysis.estimators.pictures.mcnemar import mcnemar
from analysis.inputs.pictures import Answers
from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import F1, SHARE, Json, estimated, quantity
from analysis.verdict.compare import Pair
from fer_tune.scores import confusion, macro_f1

#: Of the picture bootstrap.
_SEED = 1979


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One run of an arm: its predictions (n,) on the pictures at ``positions`` (n,)."""

    trial: int
    validation: float
    positions: NDArray[np.int64]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    classes: int


def checkpoint(search: Search, arm: str, answers: Answers | None) -> Checkpoint | None:
    """The arm's confirmation run with the best validation score; None without predictions."""
    if answers is None:
        return None
    runs = search.confirmations
    mine = runs[runs["trial"].isin(answers.trials)].dropna(subset=search.metric_column)
    if not len(mine):
        return None
    ranked = mine.sort_values(
        search.metric_column, ascending=search.metric == "loss", kind="stable"
    )
    best = ranked.iloc[0]
    row = int(np.searchsorted(answers.trials, int(best["trial"])))
    return Checkpoint(
        trial=int(best["trial"]),
        validation=float(best[search.metric_column]),
        positions=answers.positions,
        true=answers.true,
        predicted=answers.predicted[row],
        classes=answers.classes,
    )


def checkpoint_section(evidence: Evidence, arm: str) -> Json | None:
    """The arm's checkpoint and its scores."""
    found = checkpoint(evidence.search, arm, evidence.answers.get(arm))
    if found is None:
        return None
    score = float(macro_f1(confusion(found.true, found.predicted, found.classes)))
    return {
        "trial": found.trial,
        "validation": found.validation,
        "test_macro_f1": quantity(
            score,
            unit=F1,
            n=found.true.size,
            of="test pictures",
            estimator="macro-F1 of one run, no interval over runs",
        ),
    }


def duel(evidence: Evidence, pair: Pair) -> Json | None:
    """The two arms' checkpoints on the pictures that both predicted; None without any."""
    a, b = (
        checkpoint(evidence.search, arm, evidence.answers.get(arm))
        for arm in (pair.first, pair.second)
    )
    if a is None or b is None:
        return None
    _, at_a, at_b = np.intersect1d(a.positions, b.positions, return_indices=True)
    if not at_a.size:
        return None
    true, first, second = a.true[at_a], a.predicted[at_a], b.predicted[at_b]
    test = mcnemar(first == true, second == true)
    difference = paired_difference(true, first, second, a.classes, np.random.default_rng(_SEED))
    n = int(true.size)
    return {
        "trials": [a.trial, b.trial],
        "pictures": n,
        "only_first": test.only_a,
        "only_second": test.only_b,
        "both": test.both,
        "neither": test.neither,
        "unit": "correct predictions",
        "accuracy_difference": quantity(
            (test.only_a - test.only_b) / n,
            unit=SHARE,
            n=n,
            of="test pictures",
            estimator="difference of the shares of correct predictions",
        ),
        "mcnemar": quantity(
            test.p_value,
            unit="probability",
            n=test.only_a + test.only_b,
            of="pictures that only one of the two predicts correctly",
            estimator="exact McNemar test, two-sided",
        ),
        "difference": estimated(difference, unit=F1, of="test pictures"),
    }
