"""Temperature scaling."""

from __future__ import annotations

import numpy as np
import pytest

from fer_tune.training.temperature import HIGHEST, LOWEST, fit_temperature


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_it_finds_the_temperature_that_labels_were_drawn_with(true: float) -> None:
    rng = np.random.default_rng(0)
    calibrated = 2 * rng.standard_normal((20_000, 4))
    weights = np.exp(calibrated)
    shares = weights / weights.sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    found = fit_temperature((calibrated * true).astype(np.float32), labels)
    assert found == pytest.approx(true, rel=0.03)


def test_it_stays_within_its_bounds() -> None:
    certain = np.eye(3, dtype=np.float32)
    labels = np.arange(3)
    assert fit_temperature(certain, labels) == pytest.approx(LOWEST, rel=0.01)
    assert fit_temperature(100 * certain, (labels + 1) % 3) == pytest.approx(HIGHEST, rel=0.01)
    assert np.isfinite(fit_temperature(np.zeros((5, 3), np.float32), np.zeros(5, np.int64)))
