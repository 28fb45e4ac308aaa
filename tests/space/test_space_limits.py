"""Every count of a search space has an upper bound, the same in a file and in the records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from fer_tune.errors import Fault, SpaceError
from fer_tune.schema import limits
from fer_tune.space import SearchSpace, recorded_space

LARGEST: dict[str, int] = {
    "budget.trials": limits.TRIALS,
    "budget.max_epochs": limits.EPOCHS,
    "compare.replicates": limits.REPLICATES,
    "confirm.seeds": limits.SEEDS,
    "augment.views": limits.VIEWS,
    "scheduler.grace_epochs": limits.EPOCHS,
    "scheduler.reduction_factor": limits.REDUCTION,
    "stopper.patience": limits.EPOCHS,
    "stopper.window": limits.EPOCHS - 1,
    "resources.cpu": limits.CPUS,
    "resources.max_concurrent": limits.TRIALS,
}


def put(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    section, name = key.split(".")
    return {**values, section: {**values.get(section, {}), name: value}}


@pytest.mark.parametrize("key", LARGEST)
@pytest.mark.parametrize("value", [10**9, 10**12, 10**400])
def test_a_count_above_its_bound_is_a_fault(
    valid: dict[str, Any],
    faults: Callable[[dict[str, Any]], dict[str, Fault]],
    key: str,
    value: int,
) -> None:
    found = faults(put(valid, key, value))
    assert key in found and "must be" in found[key].rule


@pytest.mark.parametrize("key", LARGEST)
def test_a_count_at_its_bound_is_none(valid: dict[str, Any], key: str) -> None:
    try:
        SearchSpace.from_dict(put(valid, key, LARGEST[key]))
    except SpaceError as error:  # another field may not go with it
        assert not any("at most" in fault.rule for fault in error.faults)


def crowded(valid: dict[str, Any]) -> dict[str, dict[str, Any]]:
    many = {f"a{i}": 0 for i in range(9_000)}
    return {
        "compare.arms": put(valid, "compare.arms", [f"a{i}" for i in range(9_000)]),
        "parameters": {**valid, "parameters": many},
        "parameters.dropout.per_arm": put(valid, "parameters.dropout", {"per_arm": many}),
        "parameters.crop_size.values": put(
            valid, "parameters.crop_size", {"type": "choice", "values": list(range(9_000))}
        ),
        "cohorts.baseline": put(valid, "cohorts.baseline", [{}] * 9_000),
        "cohorts.baseline[0].a0": put(
            valid, "cohorts.baseline", [{f"a{i}": 0 for i in range(18)}] * 1_000
        ),
        "budget": {**valid, "budget": many},
    }


@pytest.mark.parametrize("key", crowded({}))
def test_thousands_of_anything_are_refused_at_once(
    valid: dict[str, Any], faults: Callable[[dict[str, Any]], dict[str, Fault]], key: str
) -> None:
    began = time.process_time()
    assert key in faults(crowded(valid)[key])
    assert time.process_time() - began < 2


def test_a_recorded_space_holds_a_bounded_number_of_values(valid: dict[str, Any]) -> None:
    names = {"name": ["x"] * (limits.SPACE_VALUES + 1)}
    with pytest.raises(SpaceError, match=r"at most 20000 values"):
        recorded_space({**valid, **names}, where="manifest.json")
    assert recorded_space(valid, where="manifest.json").audit.share == 0.0


def test_a_key_of_a_later_version_is_ignored_by_who_reads_alone(valid: dict[str, Any]) -> None:
    later = {**valid, "curriculum": {"kind": "x"}}
    with pytest.raises(SpaceError, match="curriculum"):
        recorded_space(later, where="manifest.json")
    found = recorded_space(later, where="manifest.json", later=True)
    assert found == recorded_space(valid, where="manifest.json")
