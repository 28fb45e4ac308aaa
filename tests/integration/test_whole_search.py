"""The main job from drawn faces to a report, twice with the same seed, through the command line."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_tune.data import PackedDataset
from fer_tune.models.card_file import WEIGHTS
from fer_tune.models.kept import open_model
from fer_tune.records import SCHEMAS, Results
from fer_tune.serving.predictor import Predictor
from tests.command_line import Outcome
from tests.integration.here import fer_tune_here
from tests.integration.tiny import SPACE, TIMES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole")
    (home / "tiny.yaml").write_text(SPACE)
    return home


@pytest.fixture(scope="module")
def searches(faces: PackedDataset, home: Path) -> Any:
    """The same search twice, one trial at a time: two results folders and the first's output.

    The first by the real command with a dashboard, the second in this process.
    """
    words = ("search", "tiny.yaml", "--data", str(faces.root), "--cpus", "2")
    ran = subprocess.run(
        # The results folder is relative, as it is by default.
        [sys.executable, "-m", "fer_tune", *words, "--results", "first"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FER_TUNE_BANK": str(home / "bank"), "COLUMNS": "100"},
        cwd=home,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        done = here(home, *words, "--results", "second", "--no-dashboard")
    assert done.code == 0, done
    return [(Results(home / "first"), ran.stdout), (Results(home / "second"), done.out)]


def here(home: Path, *words: object) -> Outcome:
    return fer_tune_here(*words, FER_TUNE_BANK=str(home / "bank"))


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
        "models",
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


def test_the_terminal_reports_what_happened(searches: Any) -> None:
    _, text = searches[0]
    assert "dashboard    http://127.0.0.1:" in text and "tensorboard --logdir" in text
    assert "cohort confirm" in text and "VERDICT" in text and "report.html" in text
    assert "Traceback" not in text


ARMS = ("densenet121", "resnet18")


def test_the_best_model_of_every_arm_on_validation_is_kept(searches: Any) -> None:
    results, out = searches[0]
    confirmed = results.read("trials").query("cohort == 'confirm'")
    assert {p.name for p in (results.root / "models").iterdir()} == set(ARMS)
    for arm in ARMS:
        runs = confirmed[confirmed["arm"] == arm]
        best = runs.loc[runs["best_val_macro_f1"].idxmax()]
        card = open_model(results.root / "models" / arm).card
        assert (card.run, card.seed, card.epoch) == tuple(best[["trial", "seed", "best_epoch"]])
        assert card.scores.test_macro_f1 == best["test_macro_f1"]
        assert card.arm_scores is not None
        assert card.arm_scores.mean == pytest.approx(runs["test_macro_f1"].mean())
        assert card.arm_scores.low < card.arm_scores.mean < card.arm_scores.high
        assert card.dataset.fingerprint == results.manifest()["dataset"]["fingerprint"]
        assert not card.retrained
    assert "fer-tune predict first " in out and "fer-tune evaluate first --data " in out


def test_the_commands_that_are_printed_work(
    searches: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out = searches[0]
    monkeypatch.chdir(home)
    lines = [line.strip() for line in out.splitlines()]
    for name, shown in (("predict", "expression"), ("evaluate", "macro-F1")):
        (line,) = [one for one in lines if one.startswith(f"fer-tune {name} ")]
        done = here(home, *shlex.split(line)[1:])
        assert done.code == 0 and shown in done.out, done


def test_a_kept_model_predicts_what_was_recorded_picture_by_picture(
    searches: Any, faces: PackedDataset
) -> None:
    results, _ = searches[0]
    recorded = results.read("predictions")
    for arm in ARMS:
        predictor = Predictor(open_model(results.root / "models" / arm), batch_size=7)
        rows = recorded[recorded["trial"] == predictor.card.run]
        pictures = [faces.picture(position) for position in rows["position"]]
        found = predictor.probabilities(pictures, calibrated=False)
        assert len(rows) > 20
        assert np.abs(found - np.stack(rows["probabilities"])).max() < 1e-4


def test_models_are_trained_again_without_touching_a_record(searches: Any, home: Path) -> None:
    """As for a results folder of a version that kept none."""
    results, _ = searches[1]
    before = {p: p.read_bytes() for p in results.root.glob("*.parquet/*")}
    events = (results.root / "events.jsonl").read_text()
    weights = {arm: (results.root / "models" / arm / WEIGHTS).read_bytes() for arm in ARMS}
    shutil.rmtree(results.root / "models")
    words = ("confirm", results.root, "--keep-models", "--cpus", "2", "--no-dashboard")
    done = here(home, *words)
    assert done.code == 0, done
    for arm in ARMS:
        kept = open_model(results.root / "models" / arm)
        assert kept.card.retrained and kept.card.run in set(results.read("trials")["trial"])
        assert (results.root / "models" / arm / WEIGHTS).read_bytes() == weights[arm]
    assert {p: p.read_bytes() for p in results.root.glob("*.parquet/*")} == before
    after = (results.root / "events.jsonl").read_text()
    assert after.startswith(events)
    assert {json.loads(line)["kind"] for line in after[len(events) :].splitlines()} == {"sitting"}
    assert not any((results.root / "checkpoints").iterdir())
    again = here(home, *words)
    assert again.code == 0 and "model of every arm is kept already" in again.out


def test_confirm_adds_seeds_without_choosing_again(searches: Any, home: Path) -> None:
    results, _ = searches[1]
    before = results.manifest()
    old = results.read("trials")
    words = ("confirm", results.root, "--seeds", "3", "--cpus", "2", "--no-dashboard")
    done = here(home, *words)
    assert done.code == 0, done
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
    again = here(home, *words)
    assert (
        again.code == 0
        and "already confirmed" in again.out
        and len(results.read("trials")) == len(trials)
    )
