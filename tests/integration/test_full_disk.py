"""A results folder on a disk that fills up: one message, nothing torn, and it can be resumed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fer_tune.data import PackedDataset
from fer_tune.records import Results
from tests.disks import mounted
from tests.integration.here import fer_tune_here
from tests.integration.tiny import SPACE

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 KiB: enough for records, not for the checkpoint of an unfrozen stage."""
    with mounted(tmp_path / "disk", "600k") as disk:
        yield disk


def test_a_full_disk_ends_the_search_and_a_larger_one_lets_it_go_on(
    small_disk: Path, faces: PackedDataset, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(SPACE)
    folder = small_disk / "r"
    # A checkpoint after every epoch: by default so short a trial writes none.
    alone = ("--cpus", "2", "--no-dashboard", "--quiet", "--checkpoint-interval", "0")
    bank = str(tmp_path / "bank")
    done = fer_tune_here(
        *("search", tmp_path / "tiny.yaml", "--data", faces.root, "--results", folder, *alone),
        *("--set", "parameters.unfreeze_depth=1", "--set", "confirm.seeds=0"),
        *("--set", "budget.trials=2"),
        FER_TUNE_BANK=bank,
    )
    assert done.code == 2, done
    reported = done.err.strip().splitlines()[-1]
    assert reported.startswith(f"fer-tune: {folder}: cannot write: ")
    assert reported.endswith(f"fer-tune resume {folder}") and "Traceback" not in done.err
    readable(folder)

    subprocess.run(["mount", "-o", "remount,size=500m", str(small_disk)], check=True)
    resumed = fer_tune_here("resume", folder, *alone, FER_TUNE_BANK=bank)
    assert resumed.code == 0, resumed
    trials = Results(folder).read("trials")
    assert trials["trial"].tolist() == [0, 1], "none was given up for the disk's fault"
    assert set(trials["state"]) <= {"complete", "pruned", "overfit"}
    assert readable(folder)["state"] == "finished"


def readable(folder: Path) -> dict[str, Any]:
    results = Results.open(folder)
    epochs = results.read("epochs")
    assert not epochs.duplicated(["trial", "epoch"]).any()
    if len(epochs):
        raw = pd.read_parquet(results.folder("epochs"))
        assert len(raw) == len(epochs)
    return results.manifest()
