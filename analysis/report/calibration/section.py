"""Calibration of the predicted probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.estimators.estimate import Floats
from analysis.estimators.pictures.calibration import (
    BINS,
    brier,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)
from analysis.estimators.welch import difference_interval
from analysis.inputs.pictures import FLOORS, Answers, Ints
from analysis.report.answered import compared_pairs, cut, unit_mean, unit_word
from analysis.report.evidence import Evidence
from analysis.report.quantities import SHARE, Json, estimated, quantity


def _confidence(probabilities: Floats, true: Ints) -> float:
    """Mean probability of the predicted class."""
    return float(probabilities.max(axis=1).mean())


def _accuracy(probabilities: Floats, true: Ints) -> float:
    """Share of pictures whose most probable class is the true one."""
    return float((probabilities.argmax(axis=1) == true).mean())


def _excess(probabilities: Floats, true: Ints) -> float:
    """Confidence minus accuracy: above 0 the model is over-confident."""
    return _confidence(probabilities, true) - _accuracy(probabilities, true)


#: By key: estimate of one run, unit, and the range of its values.
_MEASURES: dict[str, tuple[Callable[[Floats, Ints], float], str, float, float | None]] = {
    "confidence": (_confidence, "mean probability of the predicted class, 0 to 1", 0, 1),
    "accuracy": (_accuracy, SHARE, 0, 1),
    "excess": (_excess, "confidence minus accuracy, -1 to 1", -1, 1),
    "calibration_error": (
        expected_calibration_error,
        f"expected calibration error over {BINS} bins, 0 to 1",
        0,
        1,
    ),
    "brier": (brier, "Brier score over all classes, 0 to 2", 0, 2),
    "log_likelihood": (negative_log_likelihood, "negative log-likelihood, nats", 0, None),
}
#: Those by which arms are compared.
_COMPARED = ("excess", "calibration_error", "brier", "log_likelihood")


def section(evidence: Evidence) -> Json:
    """Measures per arm (all pictures, and clean ones), of the floors, differences per pair.

    Raises:
        ResultsError: as :func:`analysis.inputs.pictures.answers_of`.
    """
    answers = evidence.answers
    return {
        "bins": BINS,
        "arms": [_arm(evidence, arm) for arm in evidence.search.arms if arm in answers],
        "floors": [_floor(name, answers[name]) for name in FLOORS if name in answers],
        "pairs": [_pair(evidence, *pair) for pair in compared_pairs(evidence)],
    }


def _by_run(given: Answers, key: str) -> Floats:
    """One value per run (r,)."""
    measure = _MEASURES[key][0]
    return np.array([measure(one, given.true) for one in given.probabilities])


def _arm(evidence: Evidence, arm: str) -> Json:
    given = evidence.answers[arm]
    return {
        "arm": arm,
        "runs": given.runs,
        "all": _measured(evidence, given),
        "clean": _measured(evidence, given.subset(given.clean)) if given.clean.any() else None,
        "reliability": _reliability(given),
    }


def _measured(evidence: Evidence, given: Answers) -> Json:
    return {
        key: unit_mean(given.by_unit(_by_run(given, key)), evidence, unit=unit, low=low, high=high)
        for key, (_, unit, low, high) in _MEASURES.items()
    }


def _floor(name: str, given: Answers) -> Json:
    def measured(some: Answers) -> Json:
        return {
            key: quantity(
                float(_by_run(some, key).mean()),
                unit=unit,
                n=int(some.true.size),
                of="test pictures",
                estimator="of a single model",
            )
            for key, (_, unit, _, _) in _MEASURES.items()
        }

    return {
        "floor": name,
        "label": FLOORS[name],
        "all": measured(given),
        "clean": measured(given.subset(given.clean)) if given.clean.any() else None,
    }


def _reliability(given: Answers) -> Json:
    """Answers of all runs pooled, by confidence; bins without an answer are null."""
    classes = given.classes
    table = reliability(given.probabilities.reshape(-1, classes), np.tile(given.true, given.runs))
    return {
        "unit": "answers on test pictures of all runs; shares from 0 to 1",
        "edges": table.edges,
        "answers": table.counts,
        "confidence": table.confidence,
        "accuracy": table.accuracy,
    }


def _pair(evidence: Evidence, first: str, second: str) -> Json:
    return {
        "first": first,
        "second": second,
        **{key: _difference(evidence, first, second, key) for key in _COMPARED},
    }


def _difference(evidence: Evidence, first: str, second: str, key: str) -> Json | None:
    _, unit, low, high = _MEASURES[key]
    one, two = (evidence.answers[arm] for arm in (first, second))
    found = difference_interval(
        one.by_unit(_by_run(one, key)), two.by_unit(_by_run(two, key))
    ).estimate
    if high is not None:
        found = cut(found, low - high, high - low)
    return estimated(found, unit=unit, of=f"{unit_word(evidence)} in the smaller arm")
