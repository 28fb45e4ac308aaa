"""The paired bootstrap over pictures and calibration, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, f1_score, log_loss

from analysis.estimators.pictures.calibration import (
    EPSILON,
    brier,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)
from analysis.estimators.pictures.images import (
    macro_f1_interval,
    paired_difference,
    resampled_macro_f1,
)

CLASSES = 4


def noisy(true: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Class numbers of which about ``share`` are drawn at random."""
    draw = np.random.default_rng(seed)
    wrong = draw.random(true.size) < share
    return np.where(wrong, draw.integers(CLASSES, size=true.size), true)


@pytest.fixture
def true() -> np.ndarray:
    return np.random.default_rng(1).integers(CLASSES, size=250)


def macro(true: np.ndarray, predicted: np.ndarray) -> float:
    return float(f1_score(true, predicted, average="macro", zero_division=0))


def test_paired_difference_agrees_with_scipy_and_scikit_learn(true: np.ndarray) -> None:
    a, b = noisy(true, 0.3, 2), noisy(true, 0.4, 3)
    ours = paired_difference(true, a, b, CLASSES, np.random.default_rng(0))
    theirs = stats.bootstrap(
        (true, a, b),
        lambda t, x, y: macro(t, x) - macro(t, y),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=600,
        rng=np.random.default_rng(9),
    ).confidence_interval
    assert ours.value == pytest.approx(macro(true, a) - macro(true, b))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.015)
    assert ours.n == 250


def test_paired_difference_of_runs_is_that_of_their_means(true: np.ndarray) -> None:
    a = np.stack([noisy(true, 0.3, seed) for seed in (2, 3, 4)])
    b = np.stack([noisy(true, 0.4, seed) for seed in (5, 6)])
    ours = paired_difference(true, a, b, CLASSES, np.random.default_rng(0))
    wanted = np.mean([macro(true, row) for row in a]) - np.mean([macro(true, row) for row in b])
    assert ours.value == pytest.approx(wanted)


def test_pairing_takes_out_what_pictures_share(true: np.ndarray) -> None:
    a = noisy(true, 0.4, 2)
    b = a.copy()
    b[:6] = (b[:6] + 1) % CLASSES
    paired = paired_difference(true, a, b, CLASSES, np.random.default_rng(0))
    alone = macro_f1_interval(
        true, a[None], CLASSES, resampled_macro_f1(true, a[None], CLASSES, np.random.default_rng(0))
    )
    assert paired.low is not None and paired.high is not None
    assert alone.low is not None and alone.high is not None
    assert paired.high - paired.low < (alone.high - alone.low) / 2
    same = paired_difference(true, a, a, CLASSES, np.random.default_rng(0))
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.fixture
def probabilities(true: np.ndarray) -> np.ndarray:
    draw = np.random.default_rng(4)
    logits = draw.normal(0, 1, (true.size, CLASSES))
    logits[np.arange(true.size), true] += 1.2
    weight = np.exp(logits)
    return weight / weight.sum(axis=1, keepdims=True)


def test_reliability_agrees_with_scikit_learn(probabilities: np.ndarray, true: np.ndarray) -> None:
    ours = reliability(probabilities, true)
    right = probabilities.argmax(axis=1) == true
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=1), n_bins=15)
    filled = ours.counts > 0
    assert ours.accuracy[filled] == pytest.approx(accuracy)
    assert ours.confidence[filled] == pytest.approx(confidence)
    assert ours.counts.sum() == true.size
    assert not filled.all() and np.isnan(ours.accuracy[~filled]).all()
    assert ours.edges == pytest.approx(np.arange(16) / 15)


def test_expected_calibration_error_by_hand() -> None:
    # Two bins: 0.6 four times, one of them right; 0.9 once, and right.
    p = np.array([[0.6, 0.4], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4], [0.1, 0.9]])
    true = np.array([0, 1, 1, 1, 1])
    expected = 4 / 5 * abs(1 / 4 - 0.6) + 1 / 5 * abs(1 - 0.9)
    assert expected_calibration_error(p, true, bins=5) == pytest.approx(expected)
    # In one bin the errors offset each other: the measure depends on the bins.
    assert expected_calibration_error(p, true, bins=1) == pytest.approx(3.3 / 5 - 2 / 5)


def test_a_bin_holds_its_upper_edge() -> None:
    p = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert reliability(p, np.array([0, 0]), bins=2).counts.tolist() == [1, 1]


def test_brier_agrees_with_scikit_learn(probabilities: np.ndarray, true: np.ndarray) -> None:
    assert brier(probabilities, true) == pytest.approx(
        brier_score_loss(true, probabilities, scale_by_half=False)
    )
    surely_wrong = np.eye(2)
    assert brier(surely_wrong, np.array([1, 0])) == 2
    assert brier(surely_wrong, np.array([0, 1])) == 0


def test_likelihood_agrees_with_scikit_learn(probabilities: np.ndarray, true: np.ndarray) -> None:
    assert negative_log_likelihood(probabilities, true) == pytest.approx(
        log_loss(true, probabilities)
    )


def test_a_sure_mistake_costs_a_bounded_amount() -> None:
    p, true = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])
    assert negative_log_likelihood(p, true) == pytest.approx(-np.log(EPSILON) / 2)
    rounded = np.array([[1.0 + 1e-7, 0.0]], dtype=np.float32)
    assert negative_log_likelihood(rounded, np.array([0])) == 0


@pytest.mark.parametrize(
    ("p", "true", "what"),
    [
        (np.array([[0.5, 0.2]]), np.array([0]), "sums to one"),
        (np.array([[0.5, 0.5]]), np.array([2]), "among the columns"),
        (np.array([[0.5, 0.5]]), np.array([0, 1]), "one row per picture"),
    ],
)
def test_calibration_refuses_what_is_no_prediction(
    p: np.ndarray, true: np.ndarray, what: str
) -> None:
    with pytest.raises(AssertionError, match=what):
        brier(p, true)
