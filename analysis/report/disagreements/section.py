"""Disagreements of two arms: how often each is correct, and the pictures on which only one is.

An arm's prediction is here the class with the highest probability, averaged over the arm's runs;
that average is its confidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np

from analysis.estimators.pictures.mcnemar import mcnemar
from analysis.estimators.proportion import clopper_pearson
from analysis.inputs.pictures import Answers, Bools, Ints
from analysis.report.answered import leading_pair, ranked
from analysis.report.disagreements.gallery import alternated, mean_answers, most_confident, tiles
from analysis.report.evidence import Evidence
from analysis.report.quantities import SHARE, Json, estimated

#: Most tiles of pictures on which only one arm is correct, and of likely label errors.
APART, SUSPECTS = 24, 12
#: Confidence of every arm in a wrong class from which a picture's label is suspect.
CONFIDENT = 0.7


def section(evidence: Evidence) -> Json:
    """Agreement and galleries of the two best arms; of a single arm with predictions its errors.

    Only pictures that all these arms have predictions for count. Without ``settings.gallery``,
    entries have no thumbnails.

    Raises:
        ResultsError: as :func:`analysis.inputs.pictures.answers_of`.
    """
    arms, pair = ranked(evidence), leading_pair(evidence)
    shown, every = (_common(evidence.answers, some) for some in (pair or arms, arms))
    return {
        "unit": "test pictures",
        "arms": [{"arm": arm, "runs": given.runs} for arm, given in shown.items()],
        "others": [arm for arm in arms if arm not in shown],
        "agreement": _agreement(shown) if pair else None,
        "apart": _apart(evidence, shown) if pair else None,
        "suspects": _suspects(evidence, every) if pair else None,
        "errors": _errors(evidence, shown) if len(shown) == 1 else None,
    }


def _common(answers: Mapping[str, Answers], arms: tuple[str, ...]) -> dict[str, Answers]:
    """The predictions of ``arms`` on the pictures common to all, in the same order."""
    if not arms:
        return {}
    shared = reduce(np.intersect1d, [answers[arm].positions for arm in arms])
    return {arm: answers[arm].subset(np.isin(answers[arm].positions, shared)) for arm in arms}


# -- how often ------------------------------------------------------------------------------


def _agreement(shown: Mapping[str, Answers]) -> Json:
    """Counts of correct predictions on all and on clean pictures; null where there are none."""
    given = next(iter(shown.values()))
    first, second = (mean_answers(one).classes for one in shown.values())
    masks = {"all": np.ones(given.true.size, dtype=bool), "clean": given.clean}
    return {
        name: _counts(first[some], second[some], given.true[some]) if some.any() else None
        for name, some in masks.items()
    }


def _counts(first: Ints, second: Ints, true: Ints) -> Json:
    found, n = mcnemar(first == true, second == true), int(true.size)
    parts = {
        "both": found.both,
        "first": found.only_a,
        "second": found.only_b,
        "neither": found.neither,
        "same_error": int(((first == second) & (first != true)).sum()),
        "either": n - found.neither,
    }
    return {
        "unit": "test pictures",
        "n": n,
        "pictures": parts,
        "shares": {
            name: estimated(clopper_pearson(number, n), unit=SHARE, of="test pictures")
            for name, number in parts.items()
        },
    }


# -- which pictures -------------------------------------------------------------------------


def _apart(evidence: Evidence, shown: Mapping[str, Answers]) -> Json:
    """Pictures on which only one arm is correct, alternately errors of either."""
    given = next(iter(shown.values()))
    first, second = (mean_answers(one) for one in shown.values())
    right_first, right_second = first.classes == given.true, second.classes == given.true
    chosen = (
        most_confident(given, first.confidence, ~right_first & right_second),
        most_confident(given, second.confidence, right_first & ~right_second),
    )
    places = alternated(*chosen)
    return {
        "found": len(places),
        "pictures": tiles(evidence, shown, places[:APART]),
    }


def _suspects(evidence: Evidence, every: Mapping[str, Answers]) -> Json:
    """Pictures on which all runs of all arms are wrong, with high confidence of every arm."""
    given = next(iter(every.values()))
    wrong: Bools = np.all(
        [(one.predicted != given.true).all(axis=0) for one in every.values()], axis=0
    )
    sure = np.min([mean_answers(one).confidence for one in every.values()], axis=0)
    places = most_confident(given, sure, wrong & (sure >= CONFIDENT))
    return {
        "confident_from": CONFIDENT,
        "wrong_in_every_run": int(wrong.sum()),
        "found": len(places),
        "conflicting": int(given.conflicting[places].sum()),
        "pictures": tiles(evidence, every, places[:SUSPECTS]),
    }


def _errors(evidence: Evidence, shown: Mapping[str, Answers]) -> Json:
    """A single arm's errors, most confident first."""
    (given,) = shown.values()
    mine = mean_answers(given)
    right, n = mine.classes == given.true, int(given.true.size)
    places = most_confident(given, mine.confidence, ~right)
    return {
        "right": estimated(clopper_pearson(int(right.sum()), n), unit=SHARE, of="test pictures"),
        "found": len(places),
        "pictures": tiles(evidence, shown, places[:APART]),
    }
