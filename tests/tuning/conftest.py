from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fer_tune.space import SearchSpace
from fer_tune.training.context import TrialContext
from fer_tune.tuning.engine import ray_session
from fer_tune.tuning.settings import SearchOptions, WorkerSettings

BASE: dict[str, Any] = {
    "name": "recorded",
    "purpose": "Recorded curves.",
    "compare": {"arms": ["densenet161", "resnet152"]},
    "parameters": {
        "unfreeze_depth": {"type": "int", "low": 0, "high": 5},
        "crop_size": {"type": "choice", "values": [32, 48, 64]},
        "lr_head": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    },
    "budget": {"trials": 12, "max_epochs": 9},
    "scheduler": {"kind": "asha", "grace_epochs": 1, "reduction_factor": 3},
    "stopper": {"patience": 2},
    "weights": "none",
}


def make_space(**changes: Any) -> SearchSpace:
    return SearchSpace.from_dict({**BASE, **changes})


def make_settings(space: SearchSpace, results: Path) -> WorkerSettings:
    """Settings for recorded runs, which touch neither data nor weights."""
    context = TrialContext(
        dataset="",
        fingerprint="",
        validation_share=0.2,
        split_seed=0,
        leaks="drop",
        conflicts="drop",
        weights="none",
        weights_seed=0,
        view_seed=0,
        views=1,
        resize_ratio=1.0,
        precision="float32",
        max_epochs=space.budget.max_epochs,
        metric=space.metric,
        patience=space.stopper.patience if space.stopper.enabled else None,
        window=space.stopper.window,
        bank=None,
        bank_bytes=None,
        threads=1,
    )
    return WorkerSettings(context=context, results=str(results))


@pytest.fixture(scope="session")
def ray_here() -> Iterator[Any]:
    """A real Ray with two CPUs, shared by the tests that need one, stopped after the last."""
    with ray_session(SearchOptions(cpus=2, dashboard=False)) as ray:
        yield ray
