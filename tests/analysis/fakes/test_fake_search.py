"""The made-up results folders hold together: whatever can be recomputed comes out the same."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import fake_answers
import numpy as np
import pandas as pd
import pytest
from fake_curves import quality
from fake_folder import ARMS, Folder, counts_of
from fake_search import CLASSES, SCENARIOS, Plan
from fake_space import space_of
from PIL import Image
from ray.tune.schedulers.async_hyperband import _Bracket
from sklearn.metrics import accuracy_score, f1_score

from fer_tune import curves, scores
from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE, SCHEMAS
from fer_tune.space import FloatDomain, SearchSpace
from fer_tune.space import plan as plan_of

ROOT = Path(__file__).resolve().parents[3]

# -- the manifest ---------------------------------------------------------------------------


def test_manifest_has_the_keys_of_the_documentation(difference: Folder) -> None:
    text = (ROOT / "docs/architecture/records.md").read_text(encoding="utf-8")
    table = text.split("## `manifest.json`")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|(.*)", table, flags=re.MULTILINE)
    always = [cell for cell, meaning in rows if "absent without one" not in meaning]
    keys = {key for cell in always for key in re.findall(r"`(\w+)`", cell)}
    assert len(always) < len(rows) and keys == set(difference.manifest)
    for arm in difference.manifest["arms"].values():
        assert {"value", "backbone", "weights", "weights_sha256", "parameters"} == set(arm)
    for choice in difference.manifest["choices"]:
        assert set(choice["config"]) == {field.name for field in CONFIG_COLUMNS}


def test_audit_and_splits_count_the_same_pictures(difference: Folder) -> None:
    splits, audit = (difference.manifest["splits"], difference.manifest["dataset"]["audit"])
    given = splits["train"] + splits["validation"] + sum(splits["dropped"].values())
    assert sum(audit["counts"]["train"].values()) == given
    assert sum(audit["counts"]["test"].values()) == splits["test"] == difference.plan.pictures
    assert audit["pictures"] == given + splits["test"]
    for part in ("train", "validation", "test"):
        assert sum(splits[f"{part}_counts"].values()) == splits[part]


@pytest.mark.parametrize("name", SCENARIOS)
def test_spaces_are_the_platforms_own(name: str) -> None:
    plan, space = SCENARIOS[name], space_of(SCENARIOS[name])
    assert SearchSpace.from_dict(space.as_dict()) == space
    planned = plan_of(space)
    assert {study.trials for study in planned.studies} == {
        max(plan.count(arm) for arm in plan.arms) // plan.replicates
    }
    domains = space.domains(plan.arms[0])
    assert isinstance(domains["lr_head"], FloatDomain) and domains["lr_head"].log
    assert "batch_size" not in domains


# -- trials ---------------------------------------------------------------------------------


def test_every_column_is_filled(difference: Folder) -> None:
    for table, schema in SCHEMAS.items():
        frame = difference.read(table)
        empty = [name for name in schema.names if frame[name].isna().all()]
        assert empty == [], table


def test_trials_are_dealt_as_planned(difference: Folder) -> None:
    expected = plan_of(space_of(difference.plan)).studies
    trials = difference.searched
    assert len(trials) == 200 and trials["trial"].tolist() == list(range(200))
    for study in expected:
        mine = trials[(trials["arm"] == study.arm) & (trials["replicate"] == study.replicate)]
        cohorts = (
            ["baseline"] * study.baseline + ["random"] * study.random + ["tpe"] * study.proposed
        )
        assert mine["cohort"].tolist() == cohorts
    # Every study is asked once before any is asked twice.
    assert len(trials.head(10).groupby(["arm", "replicate"])) == 10


def test_sampled_values_lie_in_their_domains(difference: Folder) -> None:
    space = space_of(difference.plan)
    for _, row in difference.searched.iterrows():
        for name, domain in space.domains(row["arm"]).items():
            assert domain.contains(row[name]), (name, row[name])


def test_rungs_are_those_of_rays_own_halving(difference: Folder) -> None:
    plan, stopped, audited = difference.plan, 0, 0
    for _, study in difference.searched.groupby(["arm", "replicate"]):
        bracket = _Bracket(plan.grace, plan.epochs, plan.reduction, 0)
        for row in study.itertuples():
            audit = None if pd.isna(row.audit_epoch) else int(row.audit_epoch)
            best = difference.curve(row.trial)["val_macro_f1"].cummax().tolist()
            for epoch, score in enumerate(best[:audit], start=1):
                if not np.isfinite(score):
                    continue
                entrant = type("Entrant", (), {"trial_id": row.trial})()
                decision = bracket.on_result(entrant, epoch, score)
                ends_here = epoch == row.epochs and row.stop_reason != "asha"
                expected = epoch == audit or (row.stop_reason == "asha" and epoch == row.epochs)
                assert ends_here or (decision == "STOP") == expected, (row.trial, epoch)
            stopped += row.stop_reason == "asha"
            audited += audit is not None
    assert stopped > 50 and audited > 5


def test_audited_trials_are_pruned_and_ran_on(difference: Folder) -> None:
    trials = difference.searched
    audited = trials[trials["audit_epoch"].notna()]
    assert set(audited["state"]) == {"pruned"}
    assert audited["stop_reason"].str.fullmatch("asha/(completed|overfit|diverged)").all()
    assert (audited["epochs"] > audited["audit_epoch"]).all()
    assert not trials[trials["audit_epoch"].isna()]["stop_reason"].str.contains("/").any()


def test_states_and_ends_follow_from_the_curves(difference: Folder) -> None:
    for row in difference.read("trials").itertuples():
        curve = difference.curve(row.trial)
        assert curve["epoch"].tolist() == list(range(1, row.epochs + 1))
        train, val = curve["train_loss"].to_numpy(), curve["val_loss"].to_numpy()
        exploded = bool(row.epochs) and curves.diverged(train, val, len(CLASSES))
        assert exploded == row.stop_reason.endswith("diverged")
        onsets = [curves.overfit_onset(train[:n], val[:n]) for n in range(1, row.epochs + 1)]
        if row.cohort != "confirm":
            assert all(onset is None for onset in onsets[:-1])
        if row.stop_reason.endswith("overfit"):
            assert onsets[-1] == row.onset_epoch
        if row.stop_reason.endswith("completed"):
            assert row.epochs == difference.plan.epochs


def test_best_values_follow_from_the_epochs(difference: Folder) -> None:
    for row in difference.read("trials").dropna(subset="best_epoch").itertuples():
        curve = difference.curve(row.trial)
        best = curve.loc[curve["val_macro_f1"].idxmax()]
        assert best["epoch"] == row.best_epoch
        for name in ("val_macro_f1", "val_accuracy", "val_loss"):
            assert best[name] == getattr(row, f"best_{name}")
        gap = best["val_loss"] - best["train_loss"]
        assert gap == pytest.approx(row.generalisation_gap)
        assert curve["seconds"].sum() == pytest.approx(row.seconds)


def test_validation_scores_follow_from_their_confusion(difference: Folder) -> None:
    confusion = difference.read("confusion")
    validation = confusion[confusion["split"] == "validation"]
    trials = difference.read("trials").dropna(subset="best_epoch").set_index("trial")
    assert set(validation["trial"]) == set(trials.index)
    for trial, cells in validation.groupby("trial"):
        counts = counts_of(cells)
        assert float(scores.macro_f1(counts)) == trials.loc[trial, "best_val_macro_f1"]
        assert float(scores.accuracy(counts)) == trials.loc[trial, "best_val_accuracy"]
        assert counts.sum() == difference.manifest["splits"]["validation"]
        assert set(cells["epoch"]) == {trials.loc[trial, "best_epoch"]}


def test_some_parameters_matter_and_dropout_does_not() -> None:
    rng, space = np.random.default_rng(0), space_of(Plan())
    base = space.config("resnet152", {"unfreeze_depth": 3, "crop_size": 96}).as_dict()

    def reach(name: str, values: list[Any]) -> float:
        return float(np.ptp([quality({**base, name: v}, at_limit=False) for v in values]))

    head = reach("lr_head", list(10 ** rng.uniform(-4, -2, 50)))
    depth = reach("unfreeze_depth", [0, 1, 2, 3, 4])
    crop = reach("crop_size", [48, 64, 96, 128])
    dropout = reach("dropout", list(rng.uniform(0, 0.5, 50)))
    assert min(head, depth) > 2 * crop > 20 * dropout > 0


def test_deeper_tails_overfit_earlier(difference: Folder) -> None:
    onset = difference.searched.groupby("unfreeze_depth")["onset_epoch"].median().dropna()
    assert len(onset) >= 3 and onset.is_monotonic_decreasing
    assert onset.iloc[0] - onset.iloc[-1] >= 3


def test_early_ranks_tell_something_of_final_ones(difference: Folder) -> None:
    trials = difference.searched
    ran_on = trials[trials["state"].isin(ELIGIBLE) | trials["audit_epoch"].notna()]
    final = ran_on.set_index("trial")["best_val_macro_f1"]
    epochs = difference.read("epochs")
    fidelity = [
        final.corr(
            epochs[epochs["epoch"] <= rung].groupby("trial")["val_macro_f1"].max().loc[final.index],
            method="spearman",
        )
        for rung in difference.plan.rungs
    ]
    assert 0.2 < fidelity[0] < fidelity[1] < fidelity[2] < 1


# -- confirmation ---------------------------------------------------------------------------


def test_choices_are_the_best_eligible_of_their_study(difference: Folder) -> None:
    able = difference.searched[difference.searched["state"].isin(ELIGIBLE)]
    best = able.loc[able.groupby(["arm", "replicate"])["best_val_macro_f1"].idxmax()]
    choices = difference.manifest["choices"]
    assert {c["trial"] for c in choices} == set(best["trial"]) and len(choices) == 10
    runs = [number for choice in choices for number in choice["runs"]]
    assert sorted(runs) == sorted(difference.confirmed["trial"]) == list(range(200, 220))
    by_run = difference.confirmed.set_index("trial")
    for choice in choices:
        for seed, number in enumerate(choice["runs"]):
            row = by_run.loc[number]
            assert (row["arm"], row["replicate"]) == (choice["arm"], choice["replicate"])
            assert row["lr_head"] == choice["config"]["lr_head"]
            assert number // 10 - 20 == seed  # seeds are the outer loop


def test_answers_are_the_likeliest_classes(difference: Folder) -> None:
    rows = difference.read("predictions")
    probabilities = np.stack(rows["probabilities"].tolist())
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    likeliest = np.array(CLASSES)[probabilities.argmax(axis=1)]
    assert (likeliest == rows["predicted_class"]).all()
    assert rows.groupby("trial").size().eq(difference.plan.pictures).all()


def test_test_scores_follow_from_the_answers(difference: Folder) -> None:
    rows, confusion = difference.read("predictions"), difference.read("confusion")
    for run in difference.confirmed.itertuples():
        mine = rows[rows["trial"] == run.trial]
        clean = mine[~(mine["leaked"] | mine["conflicting"])]
        cells = confusion[(confusion["trial"] == run.trial) & (confusion["split"] == "test")]
        for name, subset, part in (("test", "all", mine), ("test_clean", "clean", clean)):
            true, found = part["true_class"], part["predicted_class"]
            f1 = f1_score(true, found, labels=CLASSES, average="macro", zero_division=0)
            assert getattr(run, f"{name}_macro_f1") == pytest.approx(f1)
            assert getattr(run, f"{name}_accuracy") == pytest.approx(accuracy_score(true, found))
            counts = counts_of(cells[cells["subset"] == subset])
            table = pd.crosstab(true, found).loc[list(CLASSES), list(CLASSES)].to_numpy()
            assert (counts == table).all()
    assert difference.manifest["splits"]["test_clean"] == len(clean)


def test_runs_of_an_arm_agree_more_than_runs_of_two(difference: Folder) -> None:
    rows = difference.read("predictions").query("cohort == 'confirm'")
    rows = rows.assign(right=(rows["true_class"] == rows["predicted_class"]).astype(float))
    wide = rows.pivot(index="position", columns="trial", values="right")
    arm = rows.drop_duplicates("trial").set_index("trial").loc[wide.columns, "arm"].to_numpy()
    agreement, same = np.corrcoef(wide.to_numpy().T), arm[:, None] == arm[None, :]
    within = agreement[same & ~np.eye(arm.size, dtype=bool)].mean()
    assert 0.8 > within > agreement[~same].mean() + 0.05 > 0.3


def test_sharpness_is_overconfidence() -> None:
    gaps = []
    for sharpness in (1.0, 1.6):
        rng = np.random.default_rng(4)
        split = fake_answers.split_of(Plan(pictures=2000), rng)
        own = fake_answers.arm_difficulty(split, rng)
        found = fake_answers.answer(split, own, 0.64, sharpness, rng)
        right = (found.argmax(axis=1) == split.truth).mean()
        gaps.append(float(found.max(axis=1).mean() - right))
    assert abs(gaps[0]) < 0.005 and gaps[1] > 0.08


@pytest.mark.parametrize("target", [0.06, 0.36, 0.66])
def test_macro_f1_is_the_one_asked_for(target: float) -> None:
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        split = fake_answers.split_of(Plan(pictures=600, seed=seed), rng)
        own = fake_answers.arm_difficulty(split, rng)
        probabilities = fake_answers.answer(split, own, target, 1.3, rng)
        found.append(fake_answers.score_columns(split, probabilities)["test_macro_f1"])
    assert found == pytest.approx([target] * 8, abs=0.002)


def test_floors_and_latency(difference: Folder) -> None:
    floors = difference.read("predictions").query("cohort == 'floor'")
    assert set(zip(floors["arm"], floors["trial"], strict=True)) == {
        ("majority", -1),
        ("logistic_regression", -2),
    }
    latency = pd.read_json(difference.root / "latency.json", orient="index")
    assert tuple(latency.index) == ARMS
    for _, row in latency.iterrows():
        runs = pd.DataFrame(row["runs"])
        assert len(runs) == 10 and (runs["p95_ms"] > runs["p50_ms"]).all()
        assert row["p50_ms"] == pytest.approx(runs["p50_ms"].median())


def test_every_test_picture_has_a_small_face(difference: Folder) -> None:
    thumbnails = difference.read("thumbnails").set_index("picture")["png"]
    pictures = difference.read("predictions")["picture"].unique()
    assert set(thumbnails.index) == set(pictures)
    assert thumbnails.map(len).max() < 1500
    for png in thumbnails.head(5):
        assert Image.open(io.BytesIO(png)).size == (48, 48)
