"""From a search space to what every worker of its search is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_tune.data import PackedDataset
from fer_tune.space import SearchSpace
from fer_tune.training.context import TrialContext
from fer_tune.tuning.options import SearchOptions


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """What the actor needs besides its assignment.

    Attributes:
        results: the results folder, where confirmation runs write their predictions.
        depot: the actor that nodes get the dataset and the weights from (``depot.py``); None
            where there is one node, the driver's.
    """

    context: TrialContext
    results: str
    depot: Any = None


def trial_context(
    space: SearchSpace, dataset: PackedDataset, options: SearchOptions, bank: Path
) -> TrialContext:
    """The settings shared by all runs of the search."""
    return TrialContext(
        dataset=str(dataset.root.resolve()),
        fingerprint=dataset.fingerprint,
        validation_share=space.data.validation_share,
        split_seed=space.seeds.split,
        leaks=space.data.leaks,
        conflicts=space.data.conflicts,
        weights=space.weights,
        weights_seed=space.seeds.weights,
        view_seed=space.seeds.views,
        views=space.augment.views,
        resize_ratio=space.augment.resize_ratio,
        precision=space.precision,
        max_epochs=space.budget.max_epochs,
        metric=space.metric,
        patience=space.stopper.patience if space.stopper.enabled else None,
        window=space.stopper.window,
        bank=str(bank.resolve()),  # runs have working folders of their own
        bank_bytes=options.bank_bytes,
        threads=max(1, int(space.resources.cpu)),
        device=None if space.resources.gpu else "cpu",
    )
