"""Nested cross-validation: folds of folds choose the regulariser of each outer fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from fer_tune.probing.estimates import point
from fer_tune.probing.folds import folds_of

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

#: Inverse regularisation strengths (scikit-learn's C), the strongest penalty first.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
INNER_FOLDS = 3
#: A closer fit costs minutes and changes no score beyond its interval.
_ITERATIONS, _TOLERANCE = 200, 1e-3


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What one regression is fitted to and scored on, by picture.

    Attributes:
        fitted: float32 (n, f), features of an augmented view.
        scored: float32 (n, f), features of the evaluation view.
        labels: int64 (n,).
        groups: int64 (n,); pictures of one group are never on both sides.
        classes: how many there are.
    """

    fitted: Floats
    scored: Floats
    labels: Ints
    groups: Ints
    classes: int


@dataclass(frozen=True, kw_only=True)
class OutOfFold:
    """Predictions for every picture by a model that has not seen its group.

    Attributes:
        probabilities: float64 (n, classes).
        strengths: of the chosen model of each outer fold.
    """

    probabilities: NDArray[np.float64]
    strengths: tuple[float, ...]


def cross_validate(
    pictures: Pictures, folds: Ints, *, metric: str, seed: int, each: Callable[[int], None]
) -> OutOfFold:
    """Predicts each fold with a regression fitted to the others.

    The regulariser is chosen within the others alone, by ``metric`` over inner folds; of equals the
    stronger penalty.

    Args:
        folds: int64 (n,), outer fold of each picture.
        each: called with every outer fold's number, from 1, when it is done.
    """
    probabilities = np.zeros((len(folds), pictures.classes))
    strengths = []
    for number, fold in enumerate(np.unique(folds), 1):
        train, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        # One thread, as for the floors: threads that wait for a busy core cost minutes.
        with threadpool_limits(1):
            strength = _choose(pictures, train, metric=metric, seed=seed)
            (probabilities[held_out],) = predictions(pictures, train, held_out, [strength])
        strengths.append(strength)
        each(number)
    return OutOfFold(probabilities=probabilities, strengths=tuple(strengths))


def _choose(pictures: Pictures, train: Ints, *, metric: str, seed: int) -> float:
    labels, groups = pictures.labels[train], pictures.groups[train]
    count = min(INNER_FOLDS, len(np.unique(groups)), int(np.bincount(labels).max()))
    if count < 2:  # nothing to choose by
        return STRENGTHS[0]
    inner = folds_of(labels, groups, count, seed)
    found = np.zeros((len(STRENGTHS), len(train), pictures.classes))
    for fold in np.unique(inner):
        part, rest = np.flatnonzero(inner != fold), np.flatnonzero(inner == fold)
        for place, rows in enumerate(predictions(pictures, train[part], train[rest], STRENGTHS)):
            found[place, rest] = rows
    values = [point(rows, labels)[metric] for rows in found]
    best = np.argmin(values) if metric == "loss" else np.argmax(values)
    return STRENGTHS[int(best)]


def predictions(
    pictures: Pictures, train: Ints, held_out: Ints, strengths: Sequence[float]
) -> Iterator[NDArray[np.float64]]:
    """Probabilities (m, classes) of ``held_out`` by each strength; each fit starts at the last."""
    labels = pictures.labels[train]
    seen = np.unique(labels)
    # Classes absent from training keep probability 0.
    rows = np.zeros((len(strengths), len(held_out), pictures.classes))
    if len(seen) < 2:
        rows[:, :, seen] = 1.0
        yield from rows
        return
    scale = StandardScaler().fit(pictures.fitted[train])
    fitted = scale.transform(pictures.fitted[train])
    scored = scale.transform(pictures.scored[held_out])
    model: Any = LogisticRegression(warm_start=True, max_iter=_ITERATIONS, tol=_TOLERANCE)
    for place, strength in enumerate(strengths):
        model.set_params(C=strength)
        with warnings.catch_warnings():
            # A fit that ends early is still one whose held-out score is honest.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(fitted, labels)
        rows[place][:, seen] = model.predict_proba(scored)
        yield rows[place]
