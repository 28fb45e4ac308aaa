"""Nested cross-validation: what a fit sees, and how its regulariser is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_tune.probing import regression
from fer_tune.probing.folds import folds_of
from fer_tune.probing.regression import STRENGTHS, Pictures, cross_validate, predictions

N, CLASSES = 120, 3


def pictures(distance: float, features: int = 8, size: int = 1) -> Pictures:
    """Gaussian classes ``distance`` apart, in groups of ``size`` pictures."""
    rng = np.random.default_rng(0)
    groups = np.arange(N) // size
    labels = (groups % CLASSES).astype(np.int64)
    means = distance * rng.normal(size=(CLASSES, features)) / features**0.5
    rows = (means[labels] + rng.normal(size=(N, features))).astype(np.float32)
    return Pictures(fitted=rows, scored=rows, labels=labels, groups=groups, classes=CLASSES)


def validated(of: Pictures, metric: str = "macro_f1", folds: int = 4) -> Any:
    outer = folds_of(of.labels, of.groups, folds, seed=0)
    seen: list[int] = []
    found = cross_validate(of, outer, metric=metric, seed=0, each=seen.append)
    assert seen == list(range(1, folds + 1)) and len(found.strengths) == folds
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(N))
    return found


def accuracy(of: Pictures, found: Any) -> float:
    return float((found.probabilities.argmax(axis=1) == of.labels).mean())


def test_what_can_be_learned_is_and_what_cannot_is_not() -> None:
    apart, none = pictures(6), pictures(0)
    assert accuracy(apart, validated(apart)) > 0.9
    assert accuracy(none, validated(none)) < 0.5


def test_a_group_is_never_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies in training would give features without meaning away."""
    of, calls = pictures(0, size=4), []

    def watched(p: Pictures, train: Any, held_out: Any, strengths: Any) -> Any:
        calls.append((p.groups[train], p.groups[held_out]))
        return predictions(p, train, held_out, strengths)

    monkeypatch.setattr(regression, "predictions", watched)
    validated(of)
    assert len(calls) == 4 * (regression.INNER_FOLDS + 1)
    assert not any(set(train) & set(rest) for train, rest in calls)


@pytest.mark.parametrize("metric", ["macro_f1", "loss"])
def test_the_regulariser_is_chosen_without_the_outer_fold(
    monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    """Another content of the held-out fold does not change the choice for it."""
    of = pictures(2, features=60)
    outer = folds_of(of.labels, of.groups, 4, seed=0)
    labels = of.labels.copy()
    labels[outer == 0] = np.roll(labels[outer == 0], 1)
    spoilt = Pictures(
        fitted=of.fitted, scored=of.scored, labels=labels, groups=of.groups, classes=CLASSES
    )
    first, second = (
        cross_validate(one, outer, metric=metric, seed=0, each=lambda _: None)
        for one in (of, spoilt)
    )
    assert first.strengths[0] == second.strengths[0]
    rows = outer == 0
    assert (first.probabilities[rows] == second.probabilities[rows]).all()


def test_noise_asks_for_a_strong_penalty_and_clear_classes_for_a_weak_one() -> None:
    weak = validated(pictures(8, features=4), metric="loss").strengths
    strong = validated(pictures(0.2, features=60), metric="loss").strengths
    assert max(strong) <= 1e-2 < min(weak)
    assert set(weak) | set(strong) <= set(STRENGTHS)


def test_held_out_pictures_are_scored_in_the_evaluation_view() -> None:
    of = pictures(6)
    blank = Pictures(
        fitted=of.fitted,
        scored=np.zeros_like(of.scored),
        labels=of.labels,
        groups=of.groups,
        classes=CLASSES,
    )
    found = validated(blank)
    assert len(np.unique(found.probabilities.argmax(axis=1))) <= 4  # one answer per fold
    assert accuracy(of, validated(of)) > accuracy(blank, found) + 0.3


def test_a_class_absent_from_training_has_probability_zero() -> None:
    of = pictures(3)
    train, rest = np.flatnonzero(of.labels < 2), np.flatnonzero(of.labels == 2)
    (rows,) = predictions(of, train, rest, [1.0])
    assert (rows[:, 2] == 0).all() and rows.sum(axis=1) == pytest.approx(np.ones(len(rest)))
    alone = np.flatnonzero(of.labels == 1)
    (rows,) = predictions(of, alone, rest, [1.0])
    assert (rows[:, 1] == 1).all()
