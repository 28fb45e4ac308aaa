"""Level 2: what a search would meet: its splits, and the curve of any run, as a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.verdict_simulation.pictures import TestSplit
from benchmarks.verdict_simulation.studies import EPOCH_NOISE
from benchmarks.verdict_simulation.surface import (
    DEPTHS,
    POINT,
    Field,
    Floats,
    Splits,
    Surface,
    climb,
    lowered,
)
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune.replay import Recording

EPOCHS = 12
SEED_SPREAD = 0.6 * POINT
TEST_PICTURES = 800
#: Decades of the learning rate, and the highest dropout: the sides of the unit cube.
_RATES = (-5.0, -1.0)
_DROPOUT = 0.5
#: Share lost by every epoch after the onset of overfitting.
_DECLINE = 0.4 * POINT
_SURFACE = Surface(steepness=0.1)


def make_space(
    arms: dict[str, float], *, seed: int, trials: int, replicates: int, seeds: int, **compare: Any
) -> SearchSpace:
    """A search of one backbone under several names.

    Args:
        arms: share of wrong training labels by name.
        trials: of the whole search.
        compare: further keys of the section ``compare``.
    """
    noise = {"label_noise": {"per_arm": arms}} if any(arms.values()) else {}
    return SearchSpace.from_dict(
        {
            "name": "simulated",
            "purpose": "Made-up curves of one backbone under several names.",
            "compare": {
                "parameter": "backbone",
                "arms": dict.fromkeys(arms, "resnet152"),
                "replicates": replicates,
                **compare,
            },
            "parameters": {
                "lr_head": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
                "unfreeze_depth": {"type": "int", "low": 0, "high": DEPTHS - 1},
                "dropout": {"type": "float", "low": 0.0, "high": _DROPOUT},
                **noise,
            },
            "budget": {"trials": trials, "max_epochs": EPOCHS},
            "scheduler": {"kind": "asha", "grace_epochs": 2, "reduction_factor": 3},
            "stopper": {"patience": 2, "window": 3},
            "seeds": {"search": seed},
            "weights": "none",
            "confirm": {"seeds": seeds},
        }
    )


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run as it would go: the recording, and the expected share right on test by epoch."""

    recording: Recording
    test_share: Floats


@dataclass(frozen=True, kw_only=True)
class World:
    """The validation split of one search, as a field, and its test split, as pictures."""

    seed: int
    validation: Field
    test: TestSplit

    @classmethod
    def draw(cls, seed: int) -> World:
        rng = np.random.default_rng([seed, 0])
        return cls(
            seed=seed,
            validation=Splits.draw(1, rng).validation,
            test=TestSplit.draw(TEST_PICTURES, rng),
        )

    def rng(self, *keys: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, 1, *keys])

    def curve(self, run: Assignment) -> Curve:
        """The curve of ``run``, the same whenever it is asked for.

        The number goes into its noise beside the seed: confirmation gives seed k to both arms,
        and two networks of one seed share little more than the seed.
        """
        rng = self.rng(run.seed, run.number)
        x = unit_cube(run.config)
        late = np.maximum(np.arange(1, EPOCHS + 1) - _onset(x, rng), 0.0)
        worth = _SURFACE.worth(x) + rng.normal(0.0, SEED_SPREAD)
        share = lowered(worth - climb(x, EPOCHS) - _DECLINE * late, run.config.label_noise)
        seen = share + float(self.validation.at(x[None, None, :])[0, 0])
        values = np.clip(seen + rng.normal(0.0, EPOCH_NOISE, EPOCHS), 0.01, 0.99)
        epoch = np.arange(1, EPOCHS + 1)
        val_loss = 0.5 + 1.3 * np.exp(-0.5 * epoch) + 0.06 * late
        val_loss += rng.normal(0.0, 0.004, EPOCHS)
        train_loss = 0.15 + 1.5 * np.exp(-0.3 * epoch)
        if x[0] > 0.9 and x[1] > 0.5:
            val_loss[1:] = np.nan  # deep and fast diverges
        recording = Recording(
            values=values.tolist(), val_loss=val_loss.tolist(), train_loss=train_loss.tolist()
        )
        return Curve(recording=recording, test_share=share)


def unit_cube(config: TrialConfig) -> Floats:
    """The configuration as a point of the unit cube (3,)."""
    low, high = _RATES
    rate = (np.log10(config.lr_head) - low) / (high - low)
    return np.array([rate, config.unfreeze_depth / (DEPTHS - 1), config.dropout / _DROPOUT])


def _onset(x: Floats, rng: np.random.Generator) -> float:
    """Epoch of the onset of overfitting: early where much is trained fast, late with dropout."""
    return float(11 - 8 * x[0] * x[1] + 4 * x[2] + rng.normal(0.0, 0.5))
