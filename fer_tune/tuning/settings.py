"""Settings that every worker of a search receives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_tune.data import PackedDataset, Split, cut
from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.data.copies import pack_groups
from fer_tune.data.dataset import DatasetIndex
from fer_tune.data.splits import related_of
from fer_tune.space import SearchSpace
from fer_tune.training.context import TRAINING_VERSION, TrialContext
from fer_tune.tuning.options import CHECKPOINT_INTERVAL_S, SearchOptions

#: Whether ``compute.graphs: auto`` records CUDA graphs. Set it once ``benchmarks/training/gpu.py``
#: has shown on a GPU that they are correct and faster, with figures in ``benchmarks/RESULTS.md``.
GRAPHS_BY_DEFAULT = False


#: Variables with credentials that workers on other machines need for a results folder at a URL. By
#: default Tune passes them in the command line of every worker, which all users can read.
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
)


def given_credentials() -> dict[str, str]:
    """Those of :data:`CREDENTIALS` that this process has."""
    return {name: os.environ[name] for name in CREDENTIALS if name in os.environ}


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Settings of the actor besides its assignment.

    Attributes:
        results: the results folder, where confirmation runs write their predictions.
        file_server: the actor that nodes get the dataset and the weights from
            (``files/file_server.py``); None if there is only the driver's node.
        checkpoint_interval_s: see :class:`SearchOptions`.
        credentials: environment variables of the driver that workers need.
    """

    context: TrialContext
    results: str = field(repr=False)  # a URL may hold credentials
    file_server: Any = None
    checkpoint_interval_s: float = CHECKPOINT_INTERVAL_S
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def bank_limits(self) -> dict[str, int] | None:
        """The limits of the feature bank, for the event log; None if runs keep no features."""
        bound = self.context.bank_bytes
        return None if bound is None else {"bytes": bound, "slots": self.context.bank_slots}


def trial_context(
    space: SearchSpace,
    dataset: PackedDataset,
    options: SearchOptions,
    bank: Path,
    training_version: int = TRAINING_VERSION,
    audit_version: int = AUDIT_VERSION,
) -> TrialContext:
    """The settings shared by all runs of the search.

    Args:
        training_version, audit_version: that the search began with.
    """
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
        bank=str(bank.absolute()),  # runs have their own working folders
        bank_bytes=options.bank_bytes,
        threads=max(1, int(space.resources.cpu)),
        device=None if space.resources.gpu else "cpu",
        graphs=GRAPHS_BY_DEFAULT and space.compute.graphs == "auto",
        training_version=training_version,
        gpu=space.resources.gpu,
        related=pack_groups(related_of(dataset, space.data.leaks, audit_version)),
    )


def splits_of(
    space: SearchSpace, dataset: DatasetIndex, audit_version: int = AUDIT_VERSION
) -> Split:
    """The splits defined by the search space, and by what counted as a copy when it began."""
    return cut(
        dataset,
        validation_share=space.data.validation_share,
        seed=space.seeds.split,
        leaks=space.data.leaks,
        conflicts=space.data.conflicts,
        related=related_of(dataset, space.data.leaks, audit_version),
    )
