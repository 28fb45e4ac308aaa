"""When a run ends, on recorded curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

from fer_tune import curves
from fer_tune.training.learning_curve import EpochReport, LearningCurve, Metric

EPOCHS, PATIENCE = 12, 3
#: Lowest at epoch 4; with the training loss falling, the onset is there.
VAL_LOSS = [1.3, 1.2, 1.1, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8]
RISING = [0.3 + 0.02 * epoch for epoch in range(EPOCHS)]
FALLING = RISING[::-1]
#: The first epoch that can see that onset.
SEEN = 4 + PATIENCE


def ended(
    metric: Metric, *, f1: Sequence[float], accuracy: Sequence[float], **changes: Any
) -> tuple[str | None, LearningCurve]:
    """How a run ends, and its curve up to there."""
    loss = changes.pop("val_loss", VAL_LOSS)
    settings = {"stop_early": True, "spares_improving": True, **changes}
    curve = LearningCurve(
        metric=metric, classes=7, max_epochs=EPOCHS, patience=PATIENCE, window=3, **settings
    )
    for epoch in range(1, EPOCHS + 1):
        figures = {name: 0.0 for name in EpochReport.__dataclass_fields__}
        figures |= {"epoch": epoch, "train_loss": 1.0 / epoch, "val_loss": loss[epoch - 1]}
        figures |= {"val_macro_f1": f1[epoch - 1], "val_accuracy": accuracy[epoch - 1]}
        curve.reports.append(EpochReport(**figures))  # type: ignore[arg-type]
        if (reason := curve.stop_reason()) is not None:
            return reason, curve
    return None, curve


def peak(at: int) -> list[float]:
    """A metric that is best at epoch ``at``."""
    return [0.9 - 0.05 * abs(epoch - at) for epoch in range(1, EPOCHS + 1)]


def test_a_larger_score_is_better_whatever_the_metric() -> None:
    """The scheduler, which knows no metric, compares scores."""
    _, by_f1 = ended("macro_f1", f1=RISING, accuracy=FALLING)
    assert by_f1.score == max(RISING)
    _, by_loss = ended("loss", f1=RISING, accuracy=RISING)
    assert (by_loss.best_epoch, by_loss.score) == (4, -min(VAL_LOSS))


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy"])
def test_a_trial_continues_while_its_metric_improves(metric: Metric) -> None:
    reason, curve = ended(metric, f1=RISING, accuracy=RISING)
    assert (reason, curve.onset, curve.best_epoch) == ("completed", 4, EPOCHS)


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy"])
@pytest.mark.parametrize(("best", "last"), [(2, SEEN), (4, SEEN), (5, 8), (7, 10), (8, 11)])
def test_it_ends_patience_epochs_after_its_best(metric: Metric, best: int, last: int) -> None:
    reason, curve = ended(metric, f1=peak(best), accuracy=peak(best))
    assert (reason, curve.epoch, curve.best_epoch) == ("overfit", last, best)
    assert curve.onset == 4


@pytest.mark.parametrize(
    ("metric", "ends"), [("macro_f1", "overfit"), ("accuracy", "completed"), ("loss", "overfit")]
)
def test_only_the_ranking_metric_counts(metric: Metric, ends: str) -> None:
    assert ended(metric, f1=FALLING, accuracy=RISING)[0] == ends


def test_an_equal_value_is_no_improvement() -> None:
    flat = [0.3, 0.4, *[0.5] * 10]
    reason, curve = ended("macro_f1", f1=flat, accuracy=flat)
    assert (reason, curve.epoch, curve.best_epoch) == ("overfit", SEEN, 3)


def test_a_trial_whose_loss_recovers_is_not_overfitting() -> None:
    loss = [*VAL_LOSS[:6], 1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    reason, curve = ended("macro_f1", f1=RISING, accuracy=RISING, val_loss=loss)
    assert (reason, curve.onset) == ("completed", None)


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy", "loss"])
def test_searches_of_version_1_end_at_the_onset(metric: Metric) -> None:
    reason, curve = ended(metric, f1=RISING, accuracy=RISING, spares_improving=False)
    assert (reason, curve.epoch, curve.onset) == ("overfit", SEEN, 4)


def test_confirmation_runs_continue_whatever_happens() -> None:
    reason, curve = ended("macro_f1", f1=FALLING, accuracy=FALLING, stop_early=False)
    assert (reason, curve.epoch, curve.onset) == ("completed", EPOCHS, 4)


def drawn(seed: int) -> list[float]:
    """A noisy valley."""
    rng = np.random.default_rng(seed)
    epochs = np.arange(EPOCHS)
    turn, slope, noise = rng.uniform(1, 8), rng.uniform(0.02, 0.2), rng.uniform(0, 0.2)
    loss = 1 + slope * abs(epochs - turn) + noise * rng.standard_normal(EPOCHS)
    return [float(value) for value in loss]


def test_a_loss_cannot_improve_after_its_onset() -> None:
    ends = []
    for seed in range(300):
        both = [
            ended("loss", f1=RISING, accuracy=RISING, val_loss=drawn(seed), spares_improving=spared)
            for spared in (True, False)
        ]
        assert len({(reason, curve.epoch) for reason, curve in both}) == 1, seed
        ends.append(both[0][0])
    assert min(ends.count("overfit"), ends.count("completed")) > 30


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_best_of_the_last_epochs(mode: Literal["max", "min"]) -> None:
    sign = 1.0 if mode == "max" else -1.0
    values = [sign * value for value in (0.1, 0.5, 0.2, 0.3, 0.4)]
    assert [curves.improves(values, mode, patience=p) for p in (1, 2, 3, 4)] == [
        False,
        False,
        False,
        True,
    ]
    assert not curves.improves([np.nan] * 3, mode, patience=3)
