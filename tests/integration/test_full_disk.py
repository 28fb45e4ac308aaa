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
from tests.integration.test_whole_search import SPACE, fer_tune

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
    ran = fer_tune(
        *("search", str(tmp_path / "tiny.yaml"), "--data", str(faces.root), "--cpus", "2"),
        *("--results", str(folder), "--no-dashboard", "--quiet"),
        *("--set", "parameters.unfreeze_depth=1", "--set", "confirm.seeds=0"),
        home=tmp_path,
    )
    assert ran.returncode == 2, ran.stdout + ran.stderr
    told = ran.stderr.strip().splitlines()[-1]
    assert told.startswith(f"fer-tune: {folder}: cannot write: ")
    assert told.endswith(f"fer-tune resume {folder}") and "Traceback" not in ran.stderr
    readable(folder)

    subprocess.run(["mount", "-o", "remount,size=500m", str(small_disk)], check=True)
    resumed = fer_tune("resume", str(folder), "--cpus", "2", "--no-dashboard", home=tmp_path)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    trials = Results(folder).read("trials")
    assert trials["trial"].tolist() == [0, 1, 2, 3], "none was given up for the disk's fault"
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
