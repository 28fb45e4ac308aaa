"""A search in the ledger of test-split readings; the rule on copies that it began with."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.data.readings import LEDGER
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.training.inputs import data_of
from fer_tune.tuning.log.events import History
from fer_tune.tuning.monitor.split_readings import (
    reader_id,
    record_raised_seeds,
    record_test_reading,
)
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.session import Search
from fer_tune.tuning.settings import splits_of, trial_context

SPACE: dict[str, Any] = {
    "name": "tiny",
    "purpose": "Readings of a test split.",
    "compare": {"arms": ["resnet18", "resnet34"]},
    "parameters": {"unfreeze_depth": 0, "crop_size": 32, "lr_head": 0.001, "batch_size": 16},
    "budget": {"trials": 2, "max_epochs": 4},
    "weights": "none",
}


@pytest.fixture
def dataset(faces: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackedDataset:
    monkeypatch.setenv("FER_TUNE_STATE", str(tmp_path / "state"))
    # Other tests of this process have read the test split of `faces`.
    shutil.copytree(faces.root, tmp_path / "packed", ignore=shutil.ignore_patterns(LEDGER))
    return PackedDataset.open(tmp_path / "packed")


def search_of(dataset: PackedDataset, folder: Path, started: float) -> Search:
    folder.mkdir()
    results = Results(folder)
    space = SearchSpace.from_dict(SPACE, where="here").as_dict()
    results.write_manifest(
        {
            "name": "tiny",
            "started": started,
            "space": space,
            "dataset": {"path": str(dataset.root), "fingerprint": dataset.fingerprint},
            "confirm_seeds": [],
        }
    )
    console = Console(file=io.StringIO(), width=100)
    return cast(Search, SimpleNamespace(results=results, dataset=dataset, console=console))


def test_resumes_count_once_and_later_searches_know_the_earlier(
    dataset: PackedDataset, tmp_path: Path
) -> None:
    first = search_of(dataset, tmp_path / "first", 1.0)
    second = search_of(dataset, tmp_path / "second", 2.0)
    for _ in range(2):
        record_test_reading(first.dataset, first.results, first.console)
    record_test_reading(second.dataset, second.results, second.console)
    record_test_reading(first.dataset, first.results, first.console)
    mine, later = (one.results.manifest()["test_readings"] for one in (first, second))
    assert mine["searches"] == [] and mine["evaluations"] == 0
    assert later["searches"] == [mine["id"]] == [reader_id(first.results.manifest())]
    assert "1 other search has read this test split" in second.console.file.getvalue()  # type: ignore[attr-defined]


def test_raised_seeds_are_recorded_once(dataset: PackedDataset, tmp_path: Path) -> None:
    search = search_of(dataset, tmp_path / "first", 1.0)
    record_raised_seeds(search.results, 5)
    assert "test_readings" not in search.results.manifest()
    search.results.update_manifest(confirm_seeds=[0, 1, 2, 3, 4])
    record_raised_seeds(search.results, 5)
    for _ in range(2):
        record_raised_seeds(search.results, 8)
    record_test_reading(search.dataset, search.results, search.console)
    readings = search.results.manifest()["test_readings"]
    assert readings["raised"] == [{"before": 5, "after": 8}] and readings["id"]


def test_a_search_keeps_the_rule_on_copies_that_it_began_with(
    dataset: PackedDataset, tmp_path: Path
) -> None:
    space = SearchSpace.from_dict(SPACE, where="here")
    alone = np.bincount(dataset.groups)[dataset.groups] == 1
    test, train = (
        np.flatnonzero(alone & (dataset.splits == name))[0] for name in ("test", "train")
    )
    dataset.recorded_related = np.arange(len(dataset))
    dataset.recorded_related[max(test, train)] = min(test, train)  # as if they were near copies
    for version, leaked in ((1, False), (AUDIT_VERSION, True)):
        context = trial_context(space, dataset, SearchOptions(), tmp_path, audit_version=version)
        for split in (data_of(context)[1], splits_of(space, dataset, version)):
            assert split.leaked[test] == leaked
            assert (train in np.concatenate([split.train, split.validation])) != leaked


def test_a_log_without_the_version_is_of_the_first() -> None:
    assert History(identity={"space": {}}).audit_version == 1
    assert History(identity={"space": {}, "audit_version": 2}).audit_version == 2
