"""A small valid search space, and a way to read the faults of a broken one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from fer_tune.errors import Fault, SpaceError
from fer_tune.space import SearchSpace

VALID: dict[str, Any] = {
    "name": "valid",
    "purpose": "A small search.",
    "compare": {"arms": ["densenet161", "resnet152"]},
    "parameters": {
        "unfreeze_depth": {"type": "int", "low": 0, "high": 3},
        "lr_head": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        "dropout": {"per_arm": {"densenet161": {"type": "float", "low": 0, "high": 0.5}}},
        "batch_size": 32,
    },
    "budget": {"trials": 8, "max_epochs": 10},
}


@pytest.fixture
def valid() -> dict[str, Any]:
    return copy.deepcopy(VALID)


@pytest.fixture
def faults() -> Callable[[dict[str, Any]], dict[str, Fault]]:
    """Key to fault of a space that must be refused."""

    def read(values: dict[str, Any]) -> dict[str, Fault]:
        with pytest.raises(SpaceError) as caught:
            SearchSpace.from_dict(values)
        by_key = {fault.key: fault for fault in caught.value.faults}
        assert len(by_key) == len(caught.value.faults), "a key was reported twice"
        return by_key

    return read
