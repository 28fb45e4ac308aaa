"""The effect of reading a test split again, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.estimators.reuse import (
    excludes_zero,
    raised_seeds_rate,
    searches_rate,
    stages_of,
)


def test_the_rule_is_welchs_test() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(0, 1, (200, 5)), rng.normal(0.8, 3, (200, 7))
    expected = stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 0.05
    assert np.array_equal(excludes_zero(first, second), expected) and expected.any()


def test_one_look_at_one_search_has_the_nominal_rate() -> None:
    assert raised_seeds_rate((10,)) == pytest.approx(0.05, abs=0.006)
    assert raised_seeds_rate((2,), 5) == pytest.approx(0.05, abs=0.01)
    assert searches_rate(1) == pytest.approx(0.05, abs=0.01)


def test_every_further_look_and_search_adds_false_positives() -> None:
    looks = [raised_seeds_rate(stages) for stages in ((5,), (5, 10), (5, 10, 20))]
    assert looks[0] + 0.02 < looks[1] and looks[1] + 0.02 < looks[2] < 0.15
    searches = [searches_rate(n) for n in (1, 2, 5)]
    assert searches[1] == pytest.approx(1 - (1 - searches[0]) ** 2, abs=0.01)
    assert searches[2] == pytest.approx(1 - (1 - searches[0]) ** 5, abs=0.015)
    assert searches_rate(2, shift=1.0) > searches[1]


def test_looks_are_the_numbers_of_seeds_at_which_a_verdict_was_seen() -> None:
    assert stages_of([(5, 8), (8, 20)]) == (5, 8, 20)
    assert stages_of([]) == ()
