"""The feature bank's limits: resolved once, kept in the event log."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fer_tune.errors import ResultsError
from fer_tune.features.folder import MOST_BYTES, default_bound, label
from fer_tune.space import SearchSpace
from fer_tune.tuning.bank_limits import BankLimits, bank_limits, context_fields, sampled_depths
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.autoscaler import Growth
from fer_tune.tuning.raytune.runtime import RayConnection

GIB = 2**30
SAMPLED = {"lr_head": {"type": "float", "low": 1e-4, "high": 1e-2}}


def space(**changes: Any) -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "name": "s",
            "purpose": "p",
            "compare": {"arms": ["densenet121", "resnet18"]},
            "budget": {"trials": 4, "max_epochs": 10},
            "resources": {"cpu": 2},
            **changes,
            "parameters": {**SAMPLED, **changes.get("parameters", {})},
        }
    )


def engine(cpus: float = 8, **changes: Any) -> RayConnection:
    return RayConnection(dashboard=None, have={"CPU": cpus}, **changes)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setenv("FER_TUNE_BANK", str(tmp_path / "default"))
    free = SimpleNamespace(free=40 * GIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    return free


def test_the_bound_does_not_shrink_as_the_bank_fills(tmp_path: Path, disk: Any) -> None:
    bank = tmp_path / "a" / "bank"
    assert default_bound(bank) == 10 * GIB, "of a folder that is not there yet"
    bank.mkdir(parents=True)
    for number, name in enumerate((label("resnet18", 48, 1), label(None, 48, 5), "")):
        (bank / f"{name}{number:040x}.npy").write_bytes(bytes(2**20))
        disk.free -= 2**20
        assert default_bound(bank) == 10 * GIB
    (bank / "mine.npy").write_bytes(bytes(2**20))
    disk.free -= 2**20
    assert default_bound(bank) == 10 * GIB - 2**18, "other files are not the bank's"
    disk.free = 4000 * GIB
    assert default_bound(bank) == MOST_BYTES == 32 * GIB


def logged(folder: Path, *sessions: dict[str, Any]) -> History:
    identity = {"schema_version": 1, "fingerprint": "f", "space": space().as_dict()}
    log = EventLog.begin(folder, identity)
    for session in sessions:
        log.append("sitting", began=1.0, **session)
    return History.read(folder)


def test_a_resume_reuses_what_the_log_has(tmp_path: Path, disk: Any) -> None:
    new = bank_limits(SearchOptions(), space(), History(identity={}), engine())
    assert new == BankLimits(bytes=10 * GIB, slots=4)
    history = logged(tmp_path, {"bank": new.as_dict()}, {})
    disk.free = 4 * GIB
    assert bank_limits(SearchOptions(), space(), history, engine(cpus=2)) == new
    fields = context_fields(new, space())
    assert (fields["bank_bytes"], fields["bank_slots"]) == (10 * GIB, 4)


def test_a_search_of_an_earlier_version_gets_limits(tmp_path: Path, disk: Any) -> None:
    history = logged(tmp_path, {}, {"bank": None})
    assert bank_limits(SearchOptions(), space(), history, engine()).bytes == 10 * GIB


def test_the_users_bound_comes_first_and_a_change_is_reported(
    tmp_path: Path, disk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    options = SearchOptions(bank_bytes=5 * GIB)
    with caplog.at_level(logging.INFO):
        first = bank_limits(options, space(), History(identity={}), engine())
        assert first.bytes == 5 * GIB
        assert "feature bank: 5.0 GiB on each machine, 1.2 GiB for each of 4 runs" in caplog.text
        history = logged(tmp_path, {"bank": first.as_dict()})
        assert bank_limits(SearchOptions(), space(), history, engine()) == first
        assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
        larger = SearchOptions(bank_bytes=6 * GIB)
        assert bank_limits(larger, space(), history, engine()).bytes == 6 * GIB
    assert "may differ in rounding" in caplog.text


@pytest.mark.parametrize(
    "bank", [{"bytes": -1, "slots": 1}, {"bytes": 1, "slots": 0}, {"bytes": "x", "slots": 1}, [1]]
)
def test_limits_that_no_search_wrote_are_refused(tmp_path: Path, bank: Any) -> None:
    with pytest.raises(ResultsError, match="bank"):
        logged(tmp_path, {"bank": bank})


MACHINES = ({"CPU": 8.0}, {"CPU": 4.0})
GROWING = Growth(config={"available_node_types": {"w": {"resources": {"CPU": 16}}, "head": {}}})


@pytest.mark.parametrize(
    ("connected", "resources", "slots"),
    [
        (engine(8), {"cpu": 2}, 4),
        (engine(8), {"cpu": 2, "max_concurrent": 3}, 3),
        (engine(1), {"cpu": 2}, 1),  # of a head that runs no trials
        (engine(12, joined=True, machines=MACHINES), {"cpu": 2}, 4),
        (engine(12, joined=True, machines=MACHINES, growth=GROWING), {"cpu": 2}, 8),
        (engine(64, joined=True, machines=({"CPU": 64.0, "GPU": 2},)), {"cpu": 2, "gpu": 0.5}, 4),
    ],
)
def test_slots_are_those_of_the_largest_machine(
    connected: RayConnection, resources: dict[str, Any], slots: int, disk: Any
) -> None:
    found = bank_limits(
        SearchOptions(), space(resources=resources), History(identity={}), connected
    )
    assert found.slots == slots


@pytest.mark.parametrize(
    ("changes", "depths"),
    [
        ({}, {"densenet121": (1,), "resnet18": (1,)}),
        (
            {"parameters": {"unfreeze_depth": {"type": "int", "low": 0, "high": 4, "step": 2}}},
            {"densenet121": (0, 2, 4), "resnet18": (0, 2, 4)},
        ),
        (
            {
                "parameters": {
                    "unfreeze_depth": {
                        "per_arm": {"resnet18": {"type": "choice", "values": [5, 3]}}
                    }
                },
                "cohorts": {"baseline": [{"unfreeze_depth": 2}]},
            },
            {"densenet121": (1, 2), "resnet18": (2, 3, 5)},
        ),
        (
            {
                "compare": {"parameter": "unfreeze_depth", "arms": {"head": 0, "all": 5}},
                "parameters": {"backbone": "resnet152"},
            },
            {"resnet152": (0, 5)},
        ),
    ],
)
def test_sampled_depths_are_those_of_all_arms_of_a_backbone(
    changes: dict[str, Any], depths: dict[str, tuple[int, ...]]
) -> None:
    assert dict(sampled_depths(space(**changes))) == depths
