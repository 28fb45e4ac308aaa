from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fer_tune.space import SearchSpace
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import ray_connection
from tests.lean_ray import lean_ray

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


@pytest.fixture(scope="module")
def ray_here() -> Iterator[Any]:
    """A lean Ray with two CPUs, stopped with the file: a later one may start a Ray of its own."""
    with lean_ray(), ray_connection(SearchOptions(cpus=2, dashboard=False)) as ray:
        yield ray
