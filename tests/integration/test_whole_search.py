"""The main job from drawn faces to a report, twice with the same seed, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fer_tune.data import PackedDataset
from fer_tune.records import SCHEMAS, Results

SPACE = """
name: tiny
purpose: Two small backbones on few faces.
compare: {arms: [densenet121, resnet18]}
parameters:
  unfreeze_depth: {type: int, low: 0, high: 1}
  crop_size: 32
  lr_head: {type: float, low: 1e-3, high: 1e-2, log: true}
  batch_size: 16
budget: {trials: 4, max_epochs: 2}
scheduler: {kind: asha, grace_epochs: 1, reduction_factor: 2}
stopper: {patience: 1}
resources: {cpu: 1, max_concurrent: 1}
weights: none
confirm: {seeds: 2}
"""
TIMES = ["started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds"]
TIMES += ["peak_memory_mib", "images_per_s", "bank_hits", "bank_misses"]


def fer_tune(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FER_TUNE_BANK": str(home / "bank"), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "fer_tune", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=home,
        timeout=500,
    )


@pytest.fixture(scope="module")
def searches(faces: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same search twice, one trial at a time: two results folders and the first's output."""
    home = tmp_path_factory.mktemp("whole")
    (home / "tiny.yaml").write_text(SPACE)
    done = []
    for name in ("first", "second"):
        ran = fer_tune(
            "search",
            "tiny.yaml",
            "--data",
            str(faces.root),
            "--results",
            name,  # relative, as it is by default
            "--cpus",
            "2",
            *(() if name == "first" else ("--no-dashboard",)),
            home=home,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        done.append((Results(home / name), ran.stdout))
    return done


pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_everything_of_the_results_folder_is_there(searches: Any) -> None:
    results, _ = searches[0]
    found = {p.name for p in results.root.iterdir() if p.name != ".lock"}
    assert found == {
        "manifest.json",
        "latency.json",
        "events.jsonl",
        "search.log",
        "checkpoints",
        "optuna.journal",
        "tensorboard",
        "ray",
        "report",
        *(f"{table}.parquet" for table in SCHEMAS),
    }
    assert {p.name for p in (results.root / "report").iterdir()} >= {
        "report.html",
        "report.md",
        "report.json",
    }


def test_trials_and_confirmation_are_complete(searches: Any, faces: PackedDataset) -> None:
    results, _ = searches[0]
    manifest, trials = results.manifest(), results.read("trials")
    assert manifest["state"] == "finished" and manifest["startup_seconds"] > 0
    searched = trials[trials["cohort"] != "confirm"]
    confirmed = trials[trials["cohort"] == "confirm"]
    assert searched["arm"].value_counts().to_dict() == {"densenet121": 2, "resnet18": 2}
    assert confirmed["arm"].value_counts().to_dict() == {"densenet121": 2, "resnet18": 2}
    assert searched["test_macro_f1"].isna().all(), "the search never reads the test split"
    assert confirmed["test_macro_f1"].notna().all() and (confirmed["epochs"] == 2).all()
    assert manifest["choice_frozen_at"] < manifest["first_test_read_at"]
    assert manifest["first_test_read_at"] < confirmed["started"].min()
    epochs = results.read("epochs").groupby("trial").size()
    assert epochs.to_dict() == trials.set_index("trial")["epochs"].to_dict()


def test_predictions_hold_every_test_picture_of_every_run_and_floor(
    searches: Any, faces: PackedDataset
) -> None:
    results, _ = searches[0]
    predictions = results.read("predictions")
    tested = int((faces.splits == "test").sum())
    assert set(predictions["cohort"]) == {"confirm", "floor"}
    assert (predictions.groupby("trial").size() == tested).all()
    assert predictions["trial"].nunique() == 4 + 2
    sums = predictions["probabilities"].map(sum)
    assert sums.between(0.999, 1.001).all()
    counts = results.read("confusion").query("split == 'test' and subset == 'all'")
    assert (counts.groupby("trial")["count"].sum() == tested).all()


def test_the_same_seed_gives_the_same_trials_and_curves(searches: Any) -> None:
    for table in ("trials", "epochs"):
        first, second = (
            results.read(table).drop(columns=TIMES, errors="ignore") for results, _ in searches
        )
        pd.testing.assert_frame_equal(first, second, check_exact=True)
    first, second = (results.read("predictions") for results, _ in searches)
    keys = ["trial", "position"]
    one = first.sort_values(keys)["probabilities"].map(list).tolist()
    other = second.sort_values(keys)["probabilities"].map(list).tolist()
    assert one == other


def test_the_terminal_tells_what_happened(searches: Any) -> None:
    _, text = searches[0]
    assert "dashboard    http://127.0.0.1:" in text and "tensorboard --logdir" in text
    assert "cohort confirm" in text and "VERDICT" in text and "report.html" in text
    assert "Traceback" not in text


def test_confirm_adds_seeds_without_choosing_again(
    searches: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    results, _ = searches[1]
    before = results.manifest()
    old = results.read("trials")
    home = results.root.parent
    ran = fer_tune("confirm", str(results.root), "--seeds", "3", "--cpus", "2", home=home)
    assert ran.returncode == 0, ran.stderr
    after = results.manifest()
    for key in ("choice_frozen_at", "first_test_read_at"):
        assert after[key] == before[key]
    for old_choice, choice in zip(before["choices"], after["choices"], strict=True):
        assert choice["runs"][:2] == old_choice["runs"] and len(choice["runs"]) == 3
        assert {**choice, "runs": None} == {**old_choice, "runs": None}
    trials = results.read("trials")
    assert len(trials) == len(old) + 2
    pd.testing.assert_frame_equal(trials.head(len(old)), old)
    assert after["state"] == "finished" and after["wall_seconds"] > before["wall_seconds"]
    latency = json.loads((results.root / "latency.json").read_text())
    assert [len(latency[arm]["runs"]) for arm in ("densenet121", "resnet18")] == [3, 3]
    again = fer_tune("confirm", str(results.root), "--seeds", "3", "--cpus", "2", home=home)
    assert "confirmed already" in again.stdout and len(results.read("trials")) == len(trials)
