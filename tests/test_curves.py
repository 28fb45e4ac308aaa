from __future__ import annotations

import math

import numpy as np
import pytest

from fer_tune import curves


def falling(epochs: int) -> list[float]:
    return [1.8 * 0.9**e for e in range(epochs)]


def valley(turn: int, epochs: int, slope: float = 0.05) -> list[float]:
    """Validation loss that falls to its minimum at epoch ``turn`` and rises after."""
    return [1.0 + slope * abs(e - turn) for e in range(1, epochs + 1)]


@pytest.mark.parametrize("turn", [5, 15])
def test_onset_is_where_validation_turns_while_training_falls(turn: int) -> None:
    assert curves.overfit_onset(falling(25), valley(turn, 25), patience=3) == turn


@pytest.mark.parametrize("after", [0, 1, 2])
def test_no_onset_before_patience_has_passed(after: int) -> None:
    epochs = 5 + after
    assert curves.overfit_onset(falling(epochs), valley(5, epochs), patience=3) is None
    assert curves.overfit_onset(falling(8), valley(5, 8), patience=3) == 5


def test_the_epoch_of_the_minimum_does_not_count_towards_patience() -> None:
    val = [3.0, 0.5, 1.2, 1.1, 2.0]  # smoothed, the minimum is at epoch 3: two epochs follow
    assert curves.overfit_onset(falling(5), val, patience=3) is None
    assert curves.overfit_onset(falling(5), val, patience=2) == 3


def test_no_onset_when_training_rises_too() -> None:
    rising = [1.0 + 0.05 * e for e in range(20)]
    assert curves.overfit_onset(rising, valley(5, 20), patience=3) is None


def test_no_onset_on_a_monotone_curve() -> None:
    assert curves.overfit_onset(falling(20), falling(20), patience=3) is None


def test_one_noisy_epoch_is_no_onset() -> None:
    noisy = falling(20)
    noisy[10] += 0.3
    assert curves.overfit_onset(falling(20), noisy, patience=3) is None


def test_a_dip_within_patience_resets_the_count() -> None:
    val = [*valley(5, 7), 0.5]
    assert curves.overfit_onset(falling(8), val, patience=3) is None


def test_diverged_curves_have_no_onset() -> None:
    val = valley(5, 20)
    val[12] = math.nan
    assert curves.overfit_onset(falling(20), val, patience=3) is None


def test_smooth_keeps_the_minimum_of_a_symmetric_valley() -> None:
    assert int(np.argmin(curves.smooth(valley(7, 20), 3))) + 1 == 7
    assert curves.smooth([3.0, 6.0, 9.0], 3).tolist() == [4.5, 6.0, 7.5]


def test_best_epoch_takes_the_first_best_and_skips_what_is_not_finite() -> None:
    assert curves.best_epoch([0.1, 0.5, 0.5, math.nan]) == 2
    assert curves.best_epoch([0.1, 0.5, 0.2], "min") == 1
    assert curves.best_epoch([math.nan, math.inf]) is None


def test_divergence() -> None:
    assert curves.diverged([math.nan], [1.0], classes=6)
    assert curves.diverged([1.0], [math.inf], classes=6)
    assert curves.diverged([4.01 * math.log(6)], [1.0], classes=6)
    assert not curves.diverged([3.99 * math.log(6)], [50.0], classes=6)


def test_gap() -> None:
    assert curves.generalisation_gap([1.0, 0.5], [1.2, 1.1], 2) == pytest.approx(0.6)
