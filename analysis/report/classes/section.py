"""Results by class: F1, recall and precision per arm, their differences, confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.estimators.estimate import LEVEL, Floats
from analysis.estimators.holm import holm, joint_level
from analysis.estimators.pictures.classes import ClassDifference, class_differences
from analysis.inputs.pictures import Answers, Ints
from analysis.report.answered import compared_pairs, cut, unit_mean, unit_word
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, estimated, quantity
from fer_tune.scores import class_f1

#: How many of the most frequent confusions are listed for every arm.
_MOST_FREQUENT = 3


def section(evidence: Evidence) -> Json:
    """Scores and confusion per arm, differences per pair; empty lists before confirmation.

    Raises:
        ResultsError: as :func:`analysis.inputs.pictures.answers_of`.
    """
    names = evidence.search.classes
    arms = [arm for arm in evidence.search.arms if arm in evidence.answers]
    support = np.bincount(evidence.answers[arms[0]].true, minlength=len(names)) if arms else None
    return {
        "unit": "test pictures",
        "classes": [
            {"class": name, "test_pictures": None if support is None else int(support[place])}
            for place, name in enumerate(names)
        ],
        "arms": [_arm(evidence, arm) for arm in arms],
        "pairs": _pairs(evidence),
    }


# -- arms -----------------------------------------------------------------------------------


def _recall(counts: Ints) -> Floats:
    """Recall of each class, (..., C, C) to (..., C); 0 for an absent class."""
    return _diagonal_share(counts, counts.sum(axis=-1))


def _precision(counts: Ints) -> Floats:
    """Precision of each class, (..., C, C) to (..., C); 0 for a class never predicted."""
    return _diagonal_share(counts, counts.sum(axis=-2))


def _diagonal_share(counts: Ints, whole: Ints) -> Floats:
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    share: Floats = np.divide(hits, whole, out=np.zeros(hits.shape), where=whole > 0)
    return share


_MEASURES: dict[str, Callable[[Ints], Floats]] = {
    "f1": class_f1,
    "recall": _recall,
    "precision": _precision,
}
_UNITS = {"f1": "F1, 0 to 1", "recall": "recall, 0 to 1", "precision": "precision, 0 to 1"}


def _arm(evidence: Evidence, arm: str) -> Json:
    given, names = evidence.answers[arm], evidence.search.classes
    every = given.confusions
    values = {name: given.by_unit(measure(every)) for name, measure in _MEASURES.items()}
    counts = every.sum(axis=0)
    return {
        "arm": arm,
        "runs": given.runs,
        "classes": [
            {
                "class": name,
                **{
                    key: unit_mean(of_units[:, place], evidence, unit=_UNITS[key])
                    for key, of_units in values.items()
                },
            }
            for place, name in enumerate(names)
        ],
        "confusion": {
            "unit": "test predictions, summed over runs; rows true, columns predicted",
            "counts": counts.tolist(),
            "shares": _row_shares(counts).tolist(),
        },
        "confusions": _most_frequent(counts, names),
    }


def _row_shares(counts: Ints) -> Floats:
    totals = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    return shares


def _most_frequent(counts: Ints, names: Sequence[str]) -> list[Json]:
    """Off-diagonal cells with the highest counts, largest first."""
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    shares = _row_shares(counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_FREQUENT]
    cells = [divmod(int(place), len(counts)) for place in order]
    return [
        {
            "true": names[row],
            "answered": names[column],
            "unit": "predictions, summed over runs",
            "answers": int(counts[row, column]),
            "of": int(counts[row].sum()),
            "share": float(shares[row, column]),
        }
        for row, column in cells
        if wrong[row, column]
    ]


# -- pairs ----------------------------------------------------------------------------------


def _pairs(evidence: Evidence) -> list[Json]:
    """F1 and recall, each corrected by Holm over all classes of all pairs shown."""
    pairs = compared_pairs(evidence)
    found = {key: _differences(evidence, pairs, key) for key in ("f1", "recall")}
    return [
        _pair(evidence, pair, {key: rows[place] for key, rows in found.items()})
        for place, pair in enumerate(pairs)
    ]


def _differences(
    evidence: Evidence, pairs: Sequence[tuple[str, str]], key: str
) -> list[list[tuple[ClassDifference, float | None]]]:
    """Per pair and class the difference and its p-value, adjusted over all of them."""
    level = joint_level(len(pairs))

    def values(given: Answers) -> Floats:
        return given.by_unit(_MEASURES[key](given.confusions))

    by_pair = [
        class_differences(values(evidence.answers[a]), values(evidence.answers[b]), level)
        for a, b in pairs
    ]
    # A class without an interval still counts as a comparison.
    raw = [[1.0 if one.p_value is None else one.p_value for one in rows] for rows in by_pair]
    adjusted = holm(np.ravel(raw)).reshape(np.shape(raw)).tolist()
    return [
        [
            (one, None if one.p_value is None else p)
            for one, p in zip(rows, adjusted[place], strict=True)
        ]
        for place, rows in enumerate(by_pair)
    ]


def _pair(
    evidence: Evidence,
    pair: tuple[str, str],
    found: dict[str, list[tuple[ClassDifference, float | None]]],
) -> Json:
    names, of = evidence.search.classes, f"{unit_word(evidence)} in the smaller arm"
    shares = [_row_shares(evidence.answers[arm].confusions.sum(axis=0)) for arm in pair]
    rows: list[Json] = []
    for place, name in enumerate(names):
        row: Json = {"class": name}
        for key, differences in found.items():
            one, p_holm = differences[place]
            row[key] = estimated(cut(one.estimate, -1, 1), unit=_UNITS[key], of=of)
            row[f"{key}_p_holm"] = quantity(
                p_holm,
                unit="probability",
                n=one.estimate.n,
                of=of,
                estimator="Welch's t test, Holm over all classes and pairs shown",
            )
        row["found"] = [key for key, d in found.items() if _is_found(d[place][1])]
        rows.append(row)
    return {
        "first": pair[0],
        "second": pair[1],
        "classes": rows,
        "share_differences": {
            "unit": "share of the true class's predictions, first minus second, -1 to 1",
            "values": (shares[0] - shares[1]).tolist(),
        },
    }


def _is_found(p_holm: float | None) -> bool:
    return p_holm is not None and p_holm < 1 - LEVEL
