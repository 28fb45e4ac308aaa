"""Effect of leaked and conflicting test pictures on scores, subsets and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from analysis.estimators.estimate import Estimate, Floats
from analysis.estimators.holm import joint_level
from analysis.estimators.superiority import wins
from analysis.estimators.welch import difference_interval, mean_interval
from analysis.inputs.pictures import Answers, Bools
from analysis.inputs.search import Search
from analysis.inputs.units import arm_units
from analysis.report.answered import cut, unit_word
from analysis.report.evidence import Evidence
from analysis.report.quantities import F1, SHARE, Json, estimated
from analysis.verdict.compare import Pair
from analysis.verdict.decision import Kind, decide
from analysis.verdict.opinions import clean_opinions

#: Pictures that a subset needs for a score of its own.
FEWEST = 20


def clean_rows(evidence: Evidence) -> list[Json]:
    """Per arm the mean over units of macro-F1 on clean pictures minus that on all."""
    rows = []
    for arm in evidence.search.arms:
        gaps = _gaps(evidence.search, arm)
        if gaps.size:
            mean = mean_interval(gaps)
            change = estimated(mean, unit=F1, of=unit_word(evidence))
            rows.append({"arm": arm, "change": change})
    return rows


def subset_rows(evidence: Evidence) -> list[Json]:
    """Per arm and subset of the test pictures: accuracy, and its difference to clean pictures.

    Accuracy rather than macro-F1, because a small subset may lack classes. Intervals are over
    pictures with the models fixed; a subset of fewer than :data:`FEWEST` has no score.
    """
    rows = []
    for arm in evidence.search.arms:
        if arm not in evidence.answers:
            continue
        given = evidence.answers[arm]
        right = _right(given)
        subsets = {"clean": given.clean, "leaked": given.leaked, "conflicting": given.conflicting}
        for name, inside in subsets.items():
            n = int(inside.sum())
            if n:
                rows.append(
                    {
                        "arm": arm,
                        "subset": name,
                        "pictures": n,
                        "unit": "test pictures",
                        "accuracy": _accuracy(right[inside]) if n >= FEWEST else None,
                        "against_clean": _against(right, inside, given.clean, name),
                    }
                )
    return rows


def clean_verdicts(evidence: Evidence) -> list[Json]:
    """Per pair the difference and the verdict on all and on clean pictures.

    Both use the same decision table and the same checks; ``change`` is the difference on clean
    pictures minus that on all, with Welch's interval over units.
    """
    search, pairs = evidence.search, evidence.pairs
    level = joint_level(len(pairs))
    units = {arm: arm_units(search, arm, "test_clean_macro_f1").values for arm in search.arms}
    of = f"{unit_word(evidence)} in the smaller arm"
    smallest = evidence.settings.smallest_effect
    rows: list[Json] = []
    for pair, one in zip(pairs, clean_opinions(search, pairs), strict=True):
        if one.estimate is None or pair.difference is None:
            continue
        apart = one.excludes_zero is True
        kind, first = _decided(pair, one.estimate, units, apart, smallest)
        rows.append(
            {
                "first": pair.first,
                "second": pair.second,
                "all": pair.kind,
                "clean": kind,
                "clean_first": first,
                "difference": estimated(pair.difference, unit=F1, of=of),
                "clean_difference": estimated(one.estimate, unit=F1, of=of),
                "change": _change(search, pair, level, of),
            }
        )
    return rows


def _gaps(search: Search, arm: str) -> Floats:
    """Clean minus all by unit (u,), over the runs that have both scores."""
    table = search.confirmations
    mine = table[table["arm"] == arm].dropna(subset=["test_macro_f1", "test_clean_macro_f1"])
    gaps = mine["test_clean_macro_f1"] - mine["test_macro_f1"]
    unit = "replicate" if search.unit == "study" else "seed"
    return gaps.groupby(mine[unit]).mean().to_numpy(np.float64)


def _right(given: Answers) -> Floats:
    """Share of an arm's runs that are correct on each picture (n,), units weighted equally."""
    right = (given.predicted == given.true).astype(np.float64)
    mean: Floats = given.by_unit(right).mean(axis=0)
    return mean


def _accuracy(right: Floats) -> Json | None:
    mean = mean_interval(right)
    words = "share of correct runs, mean over pictures"
    words += "" if mean.low is None else ", t interval over pictures"
    named = replace(mean, estimator=words)
    return estimated(cut(named, 0.0, 1.0), unit=SHARE, of="test pictures")


def _against(right: Floats, inside: Bools, clean: Bools, name: str) -> Json | None:
    if name == "clean" or min(inside.sum(), clean.sum()) < FEWEST:
        return None
    found = difference_interval(right[inside], right[clean]).estimate
    words = found.estimator.replace("units", "pictures")
    return estimated(replace(found, estimator=words), unit=SHARE, of="pictures, smaller subset")


def _decided(
    pair: Pair, estimate: Estimate, units: Mapping[str, Floats], significant: bool, smallest: float
) -> tuple[Kind | None, str]:
    """The verdict on clean pictures, None without an interval, and the better arm there."""
    names = (pair.first, pair.second)
    if estimate.value < 0:
        estimate, names = _reversed(estimate), (pair.second, pair.first)
    if estimate.low is None and not pair.broken:
        return None, names[0]
    kind, _ = decide(
        broken=bool(pair.broken),
        difference=estimate,
        superiority=float(wins(units[names[0]], units[names[1]])),
        smallest_effect=smallest,
        significant=significant,
    )
    return kind, names[0]


def _reversed(estimate: Estimate) -> Estimate:
    low = None if estimate.high is None else -estimate.high
    high = None if estimate.low is None else -estimate.low
    return replace(estimate, value=-estimate.value, low=low, high=high)


def _change(search: Search, pair: Pair, level: float, of: str) -> Json | None:
    a, b = _gaps(search, pair.first), _gaps(search, pair.second)
    if not (a.size and b.size):
        return None
    return estimated(difference_interval(a, b, level).estimate, unit=F1, of=of)
