"""What runs vary, and recorded curves without it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fer_tune.simulation.recorded.curve_trees import SCORES
from fer_tune.simulation.recorded.noise import Noise, estimate, without_noise

EPOCHS, RUNS = 12, 60
LOSS = SCORES.index("val_loss")
#: Standard deviations by epoch, as where a learning rate falls.
WITHIN = np.linspace(0.03, 0.003, EPOCHS)
#: That of the loss, which counts no pictures and varies less.
LOSS_WITHIN = 0.002


def made(
    between: float, own: float, seed: int = 0
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], dict[int, float]]:
    """Predicted and recorded curves of runs, and what each configuration deviates."""
    draws = np.random.default_rng(seed)
    deviations = {t: float(draws.normal(0, own)) for t in range(RUNS)}
    unseen = {t: np.full((EPOCHS, 5), 0.5) for t in range(RUNS)}
    curves = {}
    for t, deviation in deviations.items():
        curves[t] = unseen[t].copy()
        level = deviation + draws.normal(0, between)
        curves[t][:, 0] += level + draws.normal(0, WITHIN)
        curves[t][:, LOSS] += draws.normal(0, LOSS_WITHIN, EPOCHS)
    return unseen, curves, deviations


def confirmed(between: float, curves: dict[int, np.ndarray]) -> pd.DataFrame:
    """Seeds of one choice, added to ``curves``."""
    draws = np.random.default_rng(9)
    numbers = [1000 + k for k in range(40)]
    for t in numbers:
        curves[t] = np.full((EPOCHS, 5), 0.6)
        curves[t][:, 0] += draws.normal(0, between) + draws.normal(0, WITHIN)
    return pd.DataFrame({"trial": numbers, "replicate": 0})


def test_noise_falls_with_the_epochs_and_runs_differ_as_they_do() -> None:
    unseen, curves, _ = made(between=0.02, own=0.04)
    rows = confirmed(0.02, curves)
    noise = estimate(unseen, curves, rows, "val_macro_f1")
    assert noise.between == pytest.approx(0.02, rel=0.3)
    assert noise.kept == pytest.approx(1 - 0.02**2 / (0.02**2 + 0.04**2), abs=0.15)
    by_epoch = np.std(noise.within, axis=0)[:, 0]
    assert np.corrcoef(by_epoch, WITHIN)[0, 1] > 0.9
    assert by_epoch.mean() == pytest.approx(WITHIN.mean(), rel=0.2)


def test_without_confirmation_seeds_all_is_noise() -> None:
    unseen, curves, _ = made(between=0.02, own=0.04)
    noise = estimate(unseen, curves, pd.DataFrame({"trial": [], "replicate": []}), "val_macro_f1")
    assert noise.kept == 0 and noise.between == pytest.approx(0.045, rel=0.3)


def test_curves_without_noise_are_closer_to_the_true_ones() -> None:
    unseen, curves, deviations = made(between=0.03, own=0.03)
    clean = without_noise(unseen, curves, kept=0.5)
    true = np.array([0.5 + d for d in deviations.values()])
    errors = [
        np.mean((np.array([c[t][:, 0].mean() for t in deviations]) - true) ** 2)
        for c in (clean, curves)
    ]
    assert errors[0] < 0.7 * errors[1]
    best = max(deviations, key=lambda t: curves[t][:, 0].mean())
    assert clean[best][:, 0].mean() < curves[best][:, 0].mean(), "its luck is left out"
    others = [column for column in range(1, 5) if column != LOSS]
    assert (clean[best][:, others] == curves[best][:, others]).all()


def test_a_run_varies_as_a_recorded_one_and_goes_on_as_a_longer_one() -> None:
    short, long = np.array([0.1, 0.2]), np.array([0.3, 0.4, 0.5, 0.6])
    within = tuple(np.stack([one, -2 * one], axis=1) for one in (short, long))
    noise = Noise(within=within, between=0.0, kept=1.0)
    draws = np.random.default_rng(0)
    drawn = [noise.wobble(6, draws) for _ in range(40)]
    assert all((one[:, 1] == -2 * one[:, 0]).all() for one in drawn), "of one epoch, both"
    found = {tuple(np.abs(one[:, 0]).tolist()) for one in drawn}
    assert found == {(0.1, 0.2, 0.5, 0.6, 0.0, 0.0), (0.3, 0.4, 0.5, 0.6, 0.0, 0.0)}
    assert len(noise.wobble(1, draws)) == 1


def test_epochs_vary_on_their_own() -> None:
    """Differences of epochs would cancel in a sum, as in the curve that the stopper smooths."""
    unseen, curves, _ = made(between=0.0, own=0.02)
    noise = estimate(unseen, curves, pd.DataFrame({"trial": [], "replicate": []}), "val_macro_f1")
    draws = np.random.default_rng(1)
    drawn = np.array([noise.wobble(EPOCHS, draws) for _ in range(4000)])
    found = drawn[..., 0] / WITHIN
    neighbours = np.corrcoef(found[:, :-1].ravel(), found[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.05
    assert found.mean(axis=1).std() == pytest.approx(found.std() / np.sqrt(EPOCHS), rel=0.1)
    assert drawn[..., 1].std() == pytest.approx(LOSS_WITHIN, rel=0.1)
