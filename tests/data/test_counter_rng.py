"""Counter-based random numbers: stable, uniform, independent of order and company."""

from __future__ import annotations

import numpy as np
import pytest

from fer_tune.data.counter_rng import stream, uniforms

GOLDEN_STREAM = 0xE05D2DEA31A092D2
GOLDEN_NUMBERS = [
    [0.39174697277138293, 0.290020429824003],
    [0.29622495566958573, 0.46417084891316185],
    [0.8637443743216033, 0.0009355529193032508],
]


def test_golden_values() -> None:
    # Written once and never to change: a change alters every view of every search.
    assert stream("view", 7, "plain", 0) == GOLDEN_STREAM
    numbers = uniforms(GOLDEN_STREAM, np.array([0, 1, 2**40]), 2)
    np.testing.assert_array_equal(numbers, np.array(GOLDEN_NUMBERS))


@pytest.mark.parametrize(
    "other", [("view", 8, "plain", 0), ("view", 7, "strong", 0), ("view", 7, "plain", 1)]
)
def test_every_part_names_another_stream(other: tuple[int | str, ...]) -> None:
    assert stream(*other) != stream("view", 7, "plain", 0)


def test_a_row_depends_on_its_counter_alone() -> None:
    counters = np.arange(500)
    whole = uniforms(11, counters, 6)
    order = np.random.default_rng(0).permutation(500)[:77]
    np.testing.assert_array_equal(uniforms(11, counters[order], 6), whole[order])


def test_more_columns_leave_earlier_ones_alone() -> None:
    counters = np.arange(50)
    np.testing.assert_array_equal(uniforms(5, counters, 3), uniforms(5, counters, 9)[:, :3])


def test_numbers_are_uniform_and_uncorrelated() -> None:
    numbers = uniforms(stream("uniformity"), np.arange(40_000), 8)
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = np.stack([np.histogram(column, bins=20, range=(0, 1))[0] for column in numbers.T])
    chi_squared = ((counts - 2000) ** 2 / 2000).sum(axis=1)
    assert chi_squared.max() < 50  # 19 degrees of freedom: p = 1.3e-4
    beside = np.corrcoef(numbers, rowvar=False) - np.eye(8)
    assert np.abs(beside).max() < 0.025  # five standard errors
    below = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in numbers.T]
    assert np.abs(below).max() < 0.025


def test_neighbouring_streams_are_unrelated() -> None:
    counters = np.arange(40_000)
    one, other = (uniforms(stream("view", 0, "plain", v), counters, 1)[:, 0] for v in (0, 1))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.025
