"""Cases, measures with a fake device, and the proposal."""

from __future__ import annotations

from typing import Any

import pytest

from fer_tune.profiling.cases import Case, cases
from fer_tune.profiling.proposal import Measured, propose
from fer_tune.space import SearchSpace

GIB = 2**30


def space(**parameters: Any) -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "name": "profiled",
            "purpose": "A test.",
            "compare": {"arms": ["resnet18", "densenet121"]},
            "parameters": parameters,
            "budget": {"trials": 2, "max_epochs": 2},
            "scheduler": {"kind": "none"},
            "stopper": {"enabled": False},
            "weights": "none",
        }
    )


WIDE = {
    "crop_size": {"type": "choice", "values": [224, 48, 96]},
    "unfreeze_depth": {"type": "int", "low": 0, "high": 5},
    "batch_size": {"type": "choice", "values": [32, 64, 256]},
}


def test_corners_come_first_and_every_arm_has_them() -> None:
    found = cases(space(**WIDE), 16)
    assert len(found) == len(set(found)) == 16
    shapes = {(c.crop_size, c.unfreeze_depth, c.batch_size) for c in found}
    assert shapes == {(c, d, b) for c in (48, 224) for d in (0, 5) for b in (32, 256)}
    assert {c.arm for c in found} == {"resnet18", "densenet121"}


def test_all_are_measured_if_there_is_room_and_fixed_values_count_once() -> None:
    assert len(cases(space(**WIDE), 1000)) == 2 * 3 * 6 * 3
    assert len(cases(space(crop_size=48, unfreeze_depth=1, batch_size=32), 24)) == 2
    assert len(cases(space(), 24)) == 2
    found = cases(space(**WIDE), 5)
    assert len(found) == 5 and len({c.arm for c in found}) == 2


def test_of_a_wide_range_the_ends_and_the_middle() -> None:
    found = cases(space(batch_size={"type": "int", "low": 2, "high": 400}), 100)
    assert sorted({c.batch_size for c in found}) == [2, 201, 400]


def one(peak_gib: float, busy: float, error: str | None = None) -> Measured:
    case = Case(arm="resnet18", crop_size=48, unfreeze_depth=1, batch_size=32)
    return Measured(case=case, peak=int(peak_gib * GIB), pictures_per_s=1.0, busy=busy, error=error)


@pytest.mark.parametrize(
    ("measured", "cpus", "packing", "gain", "limit"),
    [
        ([one(2, 0.1)], 64, 8, 8.0, "most"),
        ([one(2, 0.3)], 64, 4, 1 / 0.3, "busy"),
        ([one(2, 0.95)], 64, 1, 1.0, "busy"),
        ([one(9, 0.1)], 64, 2, 2.0, "memory"),  # 4 would have 6 GiB each
        ([one(5.8, 0.1)], 64, 2, 2.0, "memory"),  # the context does not fit beside it
        ([one(2, 0.1)], 5, 2, 2.0, "cpus"),
        ([one(2, 0.1), one(20, 0.9)], 64, 1, 1.0, "memory"),  # the largest decides
        ([one(2, 0.1), one(2, 1.0)], 64, 2, 2 / 1.1, "busy"),
        ([one(30, 0.1)], 64, 0, 0.0, "memory"),
        ([one(2, 0.1), one(0, 0, "out of memory")], 64, 0, 0.0, "memory"),
    ],
)
def test_the_proposal_never_exceeds_memory_and_packs_only_an_idle_card(
    measured: list[Measured], cpus: int, packing: int, gain: float, limit: str
) -> None:
    found = propose(measured, memory=24 * GIB, context=GIB // 2, cpus=cpus, cpus_per_trial=2)
    assert (found.packing, found.limit) == (packing, limit)
    assert found.gain == pytest.approx(gain)
