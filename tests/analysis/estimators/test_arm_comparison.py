"""What compares arms: classes with Holm, Pareto front, power and cliques."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower

from analysis.estimators.cliques import cliques
from analysis.estimators.holm import holm
from analysis.estimators.pareto import pareto_front
from analysis.estimators.pictures.classes import class_differences
from analysis.estimators.power import LARGEST, t_test_power, units_for_power


@pytest.mark.parametrize("level", [0.95, 0.9])
def test_class_differences_agree_with_scipy_and_statsmodels(level: float) -> None:
    draw = np.random.default_rng(1)
    a, b = draw.normal(0.6, 0.02, (6, 5)), draw.normal(0.58, 0.03, (8, 5))
    ours = class_differences(a, b, level)
    theirs = stats.ttest_ind(a, b, equal_var=False)
    interval = theirs.confidence_interval(1 - (1 - level) / 5)
    assert [one.p_value for one in ours] == pytest.approx(theirs.pvalue)
    assert [one.estimate.low for one in ours] == pytest.approx(interval.low)
    assert [one.estimate.high for one in ours] == pytest.approx(interval.high)
    assert ours[0].estimate.level == pytest.approx(1 - (1 - level) / 5)
    assert ours[0].estimate.estimator.endswith("Bonferroni over 5 classes")


def test_class_intervals_cover_jointly() -> None:
    draw = np.random.default_rng(2)
    covered = []
    for _ in range(600):
        found = class_differences(draw.normal(size=(5, 6)), draw.normal(size=(5, 6)))
        covered.append(all(one.estimate.covers(0.0) for one in found))
    assert np.mean(covered) > 0.93


def test_a_class_without_spread_still_counts() -> None:
    a = np.array([[0.5, 0.9], [0.5, 0.8], [0.5, 0.85]])
    flat, varied = class_differences(a, a - np.array([[0.0, 0.3]]))
    assert (flat.estimate.low, flat.p_value) == (None, None)
    assert varied.p_value is not None
    assert varied.estimate.level == pytest.approx(0.975)


def test_one_unit_gives_differences_alone() -> None:
    (only,) = class_differences([[0.5]], [[0.3]])
    assert only.estimate.value == pytest.approx(0.2)
    assert only.p_value is None


def test_holm_agrees_with_statsmodels() -> None:
    p = np.random.default_rng(3).random(12) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def dominated(i: int, loss: np.ndarray) -> bool:
    return any((loss[j] <= loss[i]).all() and (loss[j] < loss[i]).any() for j in range(len(loss)))


def test_pareto_front_agrees_with_the_definition() -> None:
    draw = np.random.default_rng(4)
    score = draw.integers(6, size=60).astype(float)
    costs = draw.integers(6, size=(60, 2)).astype(float)
    loss = np.column_stack([-score, costs])
    wanted = [not dominated(i, loss) for i in range(60)]
    assert pareto_front(score, costs).tolist() == wanted
    assert 0 < sum(wanted) < 60


def test_pareto_front_by_hand() -> None:
    score = [0.9, 0.8, 0.8, 0.7, 0.95, 0.8]
    costs = [[3.0], [2.0], [2.0], [2.5], [np.nan], [2.1]]
    # Equal points stay together; a NaN is never on the front and beats nothing.
    assert pareto_front(score, costs).tolist() == [True, True, True, False, False, False]
    assert pareto_front([np.nan, 0.1], [[1.0], [2.0]]).tolist() == [False, True]
    assert pareto_front([], np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("n", [2, 5, 30, 400])
@pytest.mark.parametrize("ratio", [1e-6, 0.2, 1.0, 5.0])
def test_power_agrees_with_statsmodels(n: int, ratio: float) -> None:
    # Theirs gives NaN for the wrong side of large effects, so the sides are compared apart.
    one_sided = TTestIndPower().power
    right = one_sided(ratio, n, 0.025, alternative="larger")
    wrong = one_sided(-ratio, n, 0.025, alternative="larger") if ratio <= 1 else 0.0
    assert t_test_power(n, ratio * 3, 3.0) == pytest.approx(right + wrong, abs=1e-6)


@pytest.mark.parametrize(("effect", "spread"), [(1.0, 1.0), (0.01, 0.012), (0.01, 0.03), (-2, 1)])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_units_for_power_agree_with_statsmodels(effect: float, spread: float, power: float) -> None:
    wanted = TTestIndPower().solve_power(abs(effect) / spread, alpha=0.05, power=power)
    assert units_for_power(effect, spread, power=power) == int(np.ceil(wanted))


def test_power_at_the_ends() -> None:
    assert t_test_power(9, 0.0, 1.0) == pytest.approx(0.05)
    assert units_for_power(0.0, 1.0) is None
    assert units_for_power(0.0, 0.0) is None
    assert units_for_power(0.01, 0.0) == 2
    assert units_for_power(1.0, 1e-9) == 2
    assert units_for_power(0.05, 1.0) is None
    assert t_test_power(LARGEST, 0.05, 1.0) < 0.8


def apart(k: int, *pairs: tuple[int, int]) -> np.ndarray:
    table = np.zeros((k, k), dtype=bool)
    for i, j in pairs:
        table[i, j] = table[j, i] = True
    return table


def test_cliques_by_hand() -> None:
    # In order 2, 0, 3, 1: 2 differs from 3 and 1, 0 from 1.
    table = apart(4, (2, 3), (2, 1), (0, 1))
    assert cliques([2, 0, 3, 1], table) == ((2, 0), (0, 3), (3, 1))
    assert cliques([0, 1, 2], apart(3)) == ((0, 1, 2),)
    assert cliques([0, 1, 2], apart(3, (0, 1), (0, 2), (1, 2))) == ()
    assert cliques([0, 1, 2, 3], apart(4, (0, 3))) == ((0, 1, 2), (1, 2, 3))
    # A difference inside a run breaks it, even where its ends were not distinguished.
    assert cliques([0, 1, 2], apart(3, (0, 1))) == ((1, 2),)
    assert cliques([], np.zeros((0, 0))) == ()
    assert cliques([0], np.zeros((1, 1))) == ()


def test_cliques_agree_with_the_definition() -> None:
    draw = np.random.default_rng(5)
    for _ in range(200):
        k = int(draw.integers(2, 7))
        pairs = [pair for pair in combinations(range(k), 2) if draw.random() < 0.4]
        table, order = apart(k, *pairs), draw.permutation(k).tolist()
        runs = [
            tuple(order[i:j])
            for i in range(k)
            for j in range(i + 2, k + 1)
            if not table[np.ix_(order[i:j], order[i:j])].any()
        ]
        maximal = [r for r in runs if not any(set(r) < set(other) for other in runs)]
        assert cliques(order, table) == tuple(maximal)


def test_cliques_refuse_a_pair_that_differs_one_way() -> None:
    with pytest.raises(AssertionError, match="both ways"):
        cliques([0, 1], [[False, True], [False, False]])
