"""What a world gives: the course that a run would take if nothing stopped it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_tune.space import ChoiceDomain, Domain, SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment, derive_seed

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Course:
    """The epochs of a run, to its budget; arrays have an element per epoch.

    Attributes:
        values: the search's metric on validation (for ``loss``, the loss).
        train_loss, val_loss: what the overfit stopper reads.
        seconds: of each epoch.
        test: macro-F1 on the test split, were the epoch scored there.
        truth: the same without what the run's seed adds.
        setup_s: seconds outside its epochs, counted before the first.
        fails_after: epochs after which it fails; None: it does not.
        failure: in which way.
    """

    values: Floats
    train_loss: Floats
    val_loss: Floats
    seconds: Floats
    test: Floats
    truth: Floats
    setup_s: float
    fails_after: int | None = None
    failure: Literal["oom", "failed"] = "failed"


class World(Protocol):
    """Gives the same course for the same run, whatever was asked before.

    Attributes:
        classes: number of classes of the imagined dataset.
    """

    @property
    def classes(self) -> int: ...

    def course(self, run: Assignment) -> Course:
        """The course of ``run``, of as many epochs as a full trial has."""
        ...


def draws_of(run: Assignment, *seeds: int) -> np.random.Generator:
    """What varies a run. The arms confirm with the same seeds, and have no noise in common."""
    return np.random.default_rng([*seeds, derive_seed(run.seed, run.arm)])


def coordinates(space: SearchSpace, arm: str, config: TrialConfig) -> Floats:
    """A configuration as a point of the unit cube of what ``arm`` samples, in order of the file.

    Numbers outside their domain are clipped to it; choices are evenly spaced in their order.
    """
    values = config.as_dict()
    return np.array([_place(domain, values[name]) for name, domain in space.domains(arm).items()])


def _place(domain: Domain, value: object) -> float:
    if isinstance(domain, ChoiceDomain):
        at = next((k for k, own in enumerate(domain.values) if own == value), 0)
        return at / (len(domain.values) - 1)
    assert isinstance(value, int | float)
    low, high = float(domain.low), float(domain.high)
    number = min(max(float(value), low), high)
    if domain.log:
        low, high, number = np.log(low), np.log(high), np.log(number)
    return float((number - low) / (high - low))
