"""What the simulated arms are made of: the worth of a configuration, its curve, the splits.

A configuration is a point x of the unit cube: learning rate (in the logarithm), unfreeze depth
(six levels), dropout. Its worth is a quadratic valley with an interaction: the deeper, the lower
the best learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POINT = 0.01
#: Levels of the unfreeze depth, 0 .. 5.
DEPTHS = 6
#: How far the first epochs are below the last.
CLIMB = 0.35
#: Waves that a field is the sum of.
_WAVES = 12


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Worth of the configurations of one arm.

    Attributes:
        steepness: macro-F1 lost at a squared distance of one from the best configuration: how
            much the luck of the search matters.
        best: learning rate, depth and dropout of the best configuration, in the unit cube.
        top: its macro-F1.
        tilt: by how much the best learning rate falls from depth 0 to depth 5.
    """

    steepness: float
    best: tuple[float, float, float] = (0.6, 0.5, 0.4)
    top: float = 0.66
    tilt: float = 0.4

    def worth(self, x: Floats) -> Floats:
        """Expected macro-F1 of configurations (..., 3) over seeds and pictures: (...)."""
        rate, depth, dropout = self.best
        ridge = rate - self.tilt * (x[..., 1] - depth)
        away = (x[..., 0] - ridge) ** 2 + 0.5 * (x[..., 1] - depth) ** 2
        away += 0.3 * (x[..., 2] - dropout) ** 2
        reached: Floats = self.top - self.steepness * away
        return reached


def lowered(score: Floats, label_noise: float) -> Floats:
    """What wrong training labels leave of a score, by definition of the planted handicap.

    A score q becomes (1 - s) q + s / 6 for a share s of wrong labels, as if that share of what is
    learned were guesses between six classes.
    """
    kept: Floats = (1 - label_noise) * score + label_noise / 6
    return kept


def climb(x: Floats, epochs: int) -> Floats:
    """What is missing to the worth after each epoch: configurations (..., 3) to (..., epochs).

    A higher learning rate is faster, so that early rungs rank by more than the worth.
    """
    speed = 0.35 + 0.45 * x[..., 0, None]
    missing: Floats = CLIMB * np.exp(-speed * np.arange(1, epochs + 1))
    return missing


def snapped(x: Floats) -> Floats:
    """Configurations (..., 3) clipped to the cube, their depth on a level."""
    inside = np.clip(x, 0.0, 1.0)
    inside[..., 1] = np.minimum(np.floor(inside[..., 1] * DEPTHS), DEPTHS - 1) / (DEPTHS - 1)
    return inside


@dataclass(frozen=True, kw_only=True)
class Field:
    """What a finite split adds to a score, by split: a shift, and a smooth function of x.

    Pictures that suit one configuration suit its neighbours: all studies of a search have this
    in common, and so it is no noise between them. The smooth part is a sum of random waves with
    length scale one half, approximately a Gaussian process (Rahimi and Recht, "Random Features
    for Large-Scale Kernel Machines", NIPS 2007).

    Attributes:
        shift: (splits,). directions: (splits, waves, 3). phases: (splits, waves).
        spread: standard deviation of the smooth part.
    """

    shift: Floats
    directions: Floats
    phases: Floats
    spread: float

    @classmethod
    def draw(cls, splits: int, rng: np.random.Generator, *, shift: float, spread: float) -> Field:
        return cls(
            shift=rng.normal(0.0, shift, splits),
            directions=rng.normal(0.0, 2.0, (splits, _WAVES, 3)),
            phases=rng.uniform(0.0, 2 * np.pi, (splits, _WAVES)),
            spread=spread,
        )

    def at(self, x: Floats) -> Floats:
        """Configurations (splits, n, 3) to what their split adds (splits, n)."""
        angles = np.einsum("hwd,hnd->hnw", self.directions, x) + self.phases[:, None, :]
        smooth = np.sqrt(2 / _WAVES) * np.cos(angles).sum(axis=-1)
        added: Floats = self.shift[:, None] + self.spread * smooth
        return added


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The validation and test splits of many searches; a search has one of each."""

    validation: Field
    test: Field

    @classmethod
    def draw(cls, splits: int, rng: np.random.Generator) -> Splits:
        """About what some thousand pictures do: 0.6 points in common, 0.3 by configuration."""
        return cls(
            validation=Field.draw(splits, rng, shift=0.6 * POINT, spread=0.3 * POINT),
            test=Field.draw(splits, rng, shift=0.6 * POINT, spread=0.3 * POINT),
        )
