"""Folds that keep groups together, and scores with intervals over groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from fer_tune.errors import DataError
from fer_tune.probing.estimates import interval, point
from fer_tune.probing.folds import check_groups, folds_of


def drawn(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and probabilities (n, classes) that know something of them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[labels]
    shares = np.exp(logits)
    return labels, shares / shares.sum(axis=1, keepdims=True)


def test_groups_stay_in_one_fold_and_classes_are_spread() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 60, 300)
    labels = (groups % 3).astype(np.int64)
    folds = folds_of(labels, groups, 5, seed=0)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    for fold in range(5):
        assert (np.bincount(labels[folds == fold], minlength=3) >= 8).all()
    assert (folds_of(labels, groups, 5, seed=0) == folds).all()
    assert (folds_of(labels, groups, 5, seed=1) != folds).any()


def test_a_class_rarer_than_folds_is_no_error() -> None:
    labels = np.array([0] * 20 + [1] * 2)
    assert set(folds_of(labels, np.arange(22), 5, seed=0)) == set(range(5))


@pytest.mark.parametrize(
    ("labels", "groups"),
    [(np.zeros(100, int), np.arange(100) // 12), (np.arange(9) % 3, np.arange(9))],
)
def test_too_few_pictures_are_one_message(labels: np.ndarray, groups: np.ndarray) -> None:
    with pytest.raises(
        DataError, match=r"^D: has too few training pictures for 5 folds: .*--folds"
    ):
        check_groups(labels, groups, 5, "D")
    check_groups(np.zeros(10, int), np.arange(10), 5, "D")


def test_scores_are_those_of_scikit_learn() -> None:
    labels, rows = drawn(200, 4)
    found = point(rows, labels)
    predicted = rows.argmax(axis=1)
    assert found["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert found["accuracy"] == pytest.approx((labels == predicted).mean())
    assert found["loss"] == pytest.approx(log_loss(labels, rows))


def test_an_interval_is_that_of_resampled_groups() -> None:
    labels, rows = drawn(240, 3)
    groups = np.arange(240) // 4
    found = interval(rows, labels, groups, seed=0)
    rng = np.random.default_rng(9)
    plain = []
    for _ in range(1000):
        taken = rng.integers(0, 60, 60)
        places = (4 * taken[:, None] + np.arange(4)).ravel()
        plain.append(point(rows[places], labels[places]))
    assert list(found) == list(plain[0])
    for metric, score in found.items():
        low, high = np.quantile([one[metric] for one in plain], (0.025, 0.975))
        assert score.low == pytest.approx(low, abs=0.02)
        assert score.high == pytest.approx(high, abs=0.02)
        assert score.low < score.value < score.high
    assert interval(rows, labels, groups, seed=0) == found


def test_pictures_of_one_group_are_one_observation() -> None:
    labels, rows = drawn(150, 3)
    alone = interval(rows, labels, np.arange(150), seed=0)["accuracy"]
    fourfold, names = np.tile(labels, 4), np.tile(np.arange(150), 4)
    together = interval(np.tile(rows, (4, 1)), fourfold, names, seed=0)["accuracy"]
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.05)
    apart = interval(np.tile(rows, (4, 1)), fourfold, np.arange(600), seed=0)["accuracy"]
    assert apart.high - apart.low < 0.6 * (alone.high - alone.low)
