from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from fer_tune import scores


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, 6, 200), rng.integers(0, 5, 200)
    counts = scores.confusion(true, predicted, 6)
    np.testing.assert_array_equal(counts, confusion_matrix(true, predicted, labels=range(6)))
    assert scores.accuracy(counts) == pytest.approx(accuracy_score(true, predicted))
    expected = f1_score(true, predicted, average="macro", labels=range(6), zero_division=0)
    assert scores.macro_f1(counts) == pytest.approx(expected)


def test_accuracy_of_nothing_is_not_a_number() -> None:
    assert np.isnan(scores.accuracy(np.zeros((3, 3), dtype=np.int64)))
