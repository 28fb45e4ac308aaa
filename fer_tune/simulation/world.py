"""What a world answers: the course that a configuration would take if nothing stopped it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_tune.space import Domain, FloatDomain, IntDomain, SearchSpace
from fer_tune.tuning.log.assignment import Assignment

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Course:
    """A run's epochs, to its budget.

    Attributes:
        values: validation score per epoch (the search's metric; for a loss, the loss).
        train_loss, val_loss: per epoch; the overfit stopper reads them.
        seconds: per epoch, of a run alone on its share of a machine.
        setup_s: seconds before the first epoch.
        fails_after: epochs after which it ends by an error; None if it does not.
        failure: how it then ends.
        test: the score on the test split that its best epoch would have.
    """

    values: Floats
    train_loss: Floats
    val_loss: Floats
    seconds: Floats
    setup_s: float
    test: float
    fails_after: int | None = None
    failure: Literal["oom", "failed"] = "failed"


class World(Protocol):
    """Answers the same for the same run, whatever was asked before.

    Attributes:
        classes: number of classes of the imagined dataset.
    """

    classes: int

    def course(self, run: Assignment, epochs: int) -> Course:
        """The course of a run with a budget of ``epochs``."""
        ...


class Coordinates:
    """Configurations as points of the unit cube of what an arm samples.

    Args:
        space: numeric domains become one coordinate, logarithmic where the domain is; choices one
            per value.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    def names(self, arm: str) -> list[str]:
        """A name per coordinate."""
        return [name for name, _ in self._named(arm, None)]

    def of(self, run: Assignment) -> Floats:
        """The coordinates of a run's configuration, each in [0, 1]."""
        return np.array([value for _, value in self._named(run.arm, run)])

    def _named(self, arm: str, run: Assignment | None) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        for name, domain in self._space.domains(arm).items():
            value = None if run is None else getattr(run.config, name)
            found += _coordinates(name, domain, value)
        return found


def _coordinates(name: str, domain: Domain, value: object) -> list[tuple[str, float]]:
    if isinstance(domain, (FloatDomain, IntDomain)):
        if value is None:
            return [(name, 0.0)]
        low, high, at = float(domain.low), float(domain.high), float(value)  # type: ignore[arg-type]
        if domain.log:
            low, high, at = np.log(low), np.log(high), np.log(max(at, 1e-300))
        return [(name, float(np.clip((at - low) / (high - low), 0, 1)) if high > low else 0.5)]
    return [(f"{name}={one}", float(value == one)) for one in domain.values]
