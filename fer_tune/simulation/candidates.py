"""Candidate plans: a small grid of the settings that decide what a search costs and shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from fer_tune.space import SearchSpace
from fer_tune.space import plan as make_plan

#: Values of the grid, besides the search space's own.
REPLICATES = (1, 5, 8)
TRIALS = (8, 16, 32, 60)
FACTORS = (3, 4)
SEEDS = (2, 5)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Settings of a plan.

    Attributes:
        trials: per study.
        grace: epochs of the first rung; factor: of the halving.
        seeds: of the confirmation.
    """

    replicates: int
    trials: int
    epochs: int
    grace: int
    factor: int
    seeds: int

    def overrides(self, arms: int) -> list[str]:
        """As ``--set`` takes them."""
        return [
            f"budget.trials={arms * self.replicates * self.trials}",
            f"budget.max_epochs={self.epochs}",
            f"compare.replicates={self.replicates}",
            f"scheduler.grace_epochs={self.grace}",
            f"scheduler.reduction_factor={self.factor}",
            f"confirm.seeds={self.seeds}",
        ]


def grid(space: SearchSpace) -> Iterator[Candidate]:
    """The candidates of a space, its own settings first.

    Epochs are the space's or half of them. One study per arm goes with 5 seeds or more, as the
    seed is then the unit of the verdict. A study of all arms has one replicate.
    """
    own, equal = space.compare.replicates, space.compare.allocation == "equal"
    studies = len(space.compare.arms) * own if equal else 1
    epochs, grace = space.budget.max_epochs, space.scheduler.grace_epochs
    mine = Candidate(
        replicates=own,
        trials=max(1, space.budget.trials // studies),
        epochs=epochs,
        grace=grace,
        factor=space.scheduler.reduction_factor,
        seeds=space.confirm.seeds,
    )
    yield mine
    for replicates, trials, length, factor, seeds in product(
        sorted({*REPLICATES, own}) if equal else [1],
        sorted({*TRIALS, mine.trials}),
        sorted({epochs, epochs // 2} - {0, 1}),
        sorted({*FACTORS, space.scheduler.reduction_factor}),
        sorted({*SEEDS, space.confirm.seeds} - {0}),
    ):
        candidate = Candidate(
            replicates=replicates,
            trials=trials,
            epochs=length,
            grace=grace,
            factor=factor,
            seeds=seeds,
        )
        decides = replicates > 1 or seeds >= max(SEEDS)
        if candidate != mine and grace < length and decides:
            yield candidate


def rough_epochs(space: SearchSpace) -> int:
    """Epochs of a search by synchronous halving, confirmation included."""
    planned = make_plan(space)
    return planned.expected_epochs + planned.confirm_epochs
