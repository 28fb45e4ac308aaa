"""The evaluation of one model on labelled pictures: scores with intervals, confusion, calibration.

The model is held fixed. Intervals are about this model on further pictures of the same kind, and
say nothing of other seeds or searches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.estimators.estimate import LEVEL, Floats
from analysis.estimators.pictures.calibration import (
    BINS,
    brier,
    expected_calibration_error,
    negative_log_likelihood,
)
from analysis.estimators.pictures.images import macro_f1_interval, resampled_macro_f1
from analysis.estimators.proportion import clopper_pearson, clopper_pearson_ends
from analysis.inputs.pictures import Bools, Ints
from analysis.report.quantities import F1, SHARE, Json, estimated, plain, quantity
from fer_tune.scores import class_f1, confusion

#: Of the picture bootstrap; the report's own, so that both give the same interval.
SEED = 1979
PICTURES = "pictures"
#: The subsets, in the order of the tables.
SUBSETS = ("all", "clean")

#: By key: measure of probabilities (n, C) against class numbers (n,), and its unit.
_CALIBRATION: dict[str, tuple[Callable[[Floats, Ints], float], str]] = {
    "confidence": (
        lambda probabilities, true: float(probabilities.max(axis=1).mean()),
        "mean probability of the predicted class, 0 to 1",
    ),
    "calibration_error": (
        expected_calibration_error,
        f"expected calibration error over {BINS} bins, 0 to 1",
    ),
    "brier": (brier, "Brier score over all classes, 0 to 2"),
    "log_likelihood": (negative_log_likelihood, "negative log-likelihood, nats"),
}


def evaluation(
    probabilities: Floats, true: Ints, clean: Bools, classes: Sequence[str]
) -> dict[str, Json | None]:
    """Scores on all pictures and on the clean ones, in JSON's own types.

    The predicted class is the most probable one, of equally probable ones the first.

    Args:
        probabilities: (n, C), n >= 1, each row summing to 1.
        true: class numbers (n,).
        clean: whether a picture is clean (n,).
        classes: names (C,).

    Returns:
        ``all`` and ``clean``; ``clean`` is None if no picture is.
    """
    assert probabilities.shape == (true.size, len(classes)) and clean.shape == true.shape
    return {
        "all": _subset(probabilities, true, classes),
        "clean": _subset(probabilities[clean], true[clean], classes) if clean.any() else None,
    }


def _subset(probabilities: Floats, true: Ints, classes: Sequence[str]) -> Json:
    number = len(classes)
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    counts = confusion(true, predicted, number)
    resampled = resampled_macro_f1(true, predicted[None], number, np.random.default_rng(SEED))
    macro = macro_f1_interval(true, predicted[None], number, resampled)
    hits = int(np.trace(counts))
    found: Json = plain(
        {
            "pictures": int(true.size),
            "accuracy": estimated(clopper_pearson(hits, true.size), unit=SHARE, of=PICTURES),
            "macro_f1": estimated(macro, unit=F1, of=PICTURES),
            "classes": _by_class(counts, classes),
            "confusion": _confusion(counts),
            "calibration": _calibration(probabilities, true),
        }
    )
    return found


def _by_class(counts: Ints, classes: Sequence[str]) -> list[Json]:
    """Recall and precision are None where there is nothing to divide by."""
    hits, f1 = np.diagonal(counts), class_f1(counts)
    support, answered = counts.sum(axis=1), counts.sum(axis=0)

    def share(place: int, of: int, pictures: str) -> Json | None:
        found = clopper_pearson(int(hits[place]), of) if of else None
        return estimated(found, unit=SHARE, of=pictures)

    return [
        {
            "class": name,
            "support": int(support[place]),
            "predicted": int(answered[place]),
            "precision": share(place, int(answered[place]), "pictures predicted as the class"),
            "recall": share(place, int(support[place]), "pictures of the class"),
            "f1": quantity(
                float(f1[place]),
                unit="F1, 0 to 1",
                n=int(support[place]),
                of="pictures of the class",
                estimator="of a single model",
            ),
        }
        for place, name in enumerate(classes)
    ]


def _confusion(counts: Ints) -> Json:
    """Shares of each row with the ends of their intervals, null for a class without pictures."""
    support = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    shares = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    low, high = clopper_pearson_ends(counts, support)
    return {
        "unit": "pictures; rows true, columns predicted; shares of the true class, 0 to 1",
        "estimator": "share with Clopper and Pearson's interval",
        "level": LEVEL,
        "counts": counts,
        "shares": shares,
        "low": low,
        "high": high,
    }


def _calibration(probabilities: Floats, true: Ints) -> Json:
    return {
        key: quantity(
            measure(probabilities, true),
            unit=unit,
            n=int(true.size),
            of=PICTURES,
            estimator="of a single model",
        )
        for key, (measure, unit) in _CALIBRATION.items()
    }
