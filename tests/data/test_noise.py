"""Wrong labels: how many, which, and that they do not depend on order or company."""

from __future__ import annotations

import numpy as np
import pytest

from fer_tune.data import with_label_noise

N, CLASSES = 20_000, 6
POSITIONS = np.arange(N) * 3 + 5
LABELS = np.random.default_rng(0).integers(0, CLASSES, N)


def noisy(share: float, seed: int = 0) -> np.ndarray:
    return with_label_noise(LABELS, POSITIONS, share=share, classes=CLASSES, seed=seed)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95])
def test_the_share_is_kept_within_four_standard_errors(share: float) -> None:
    changed = float((noisy(share) != LABELS).mean())
    assert abs(changed - share) <= 4 * np.sqrt(share * (1 - share) / N)


def test_every_other_class_is_as_likely() -> None:
    found = noisy(0.5)
    changed = found != LABELS
    steps = np.bincount((found - LABELS)[changed] % CLASSES, minlength=CLASSES)
    expected = changed.sum() / (CLASSES - 1)
    assert steps[0] == 0 and (abs(steps[1:] - expected) < 5 * np.sqrt(expected)).all()
    assert set(found) == set(range(CLASSES)) and found.dtype == np.int64


def test_any_subset_in_any_order_gets_the_same_labels() -> None:
    chosen = np.random.default_rng(1).permutation(N)[:500]
    part = with_label_noise(LABELS[chosen], POSITIONS[chosen], share=0.4, classes=CLASSES, seed=0)
    assert (part == noisy(0.4)[chosen]).all()


def test_seeds_differ_and_the_true_labels_are_left_alone() -> None:
    before = LABELS.copy()
    assert (noisy(0.3) == noisy(0.3)).all() and (noisy(0.3) != noisy(0.3, seed=1)).any()
    assert (before == LABELS).all()


def test_a_larger_share_replaces_the_same_labels_and_more() -> None:
    small, large = noisy(0.2), noisy(0.6)
    changed = small != LABELS
    assert (large[changed] == small[changed]).all()
    assert ((large != LABELS) & ~changed).any()


def test_known_values() -> None:
    labels = np.zeros(12, dtype=np.int64)
    found = with_label_noise(labels, np.arange(12), share=0.5, classes=3, seed=7)
    assert found.tolist() == [0, 0, 0, 2, 0, 2, 2, 2, 1, 2, 1, 2]


def test_where_there_is_one_class_it_stays() -> None:
    labels = np.zeros(9, dtype=np.int64)
    assert (with_label_noise(labels, np.arange(9), share=0.9, classes=1, seed=0) == 0).all()
