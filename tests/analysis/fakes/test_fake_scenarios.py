"""Every scenario of the made-up results folders is what its name says; one plan, same bytes."""

from __future__ import annotations

import filecmp
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_folder import ARMS, Folder
from fake_search import SCENARIOS, Plan, make


def gap(folder: Folder) -> float:
    means = folder.confirmed.groupby("arm")["test_macro_f1"].mean()
    return float(means[ARMS[0]] - means[ARMS[1]])


def test_true_differences_are_there(folder: Any) -> None:
    assert gap(folder("difference")) == pytest.approx(0.04, abs=0.005)
    assert gap(folder("none")) == pytest.approx(0.0, abs=0.003)


def test_chosen_validation_scores_are_a_little_optimistic(difference: Folder) -> None:
    chosen = pd.DataFrame(difference.manifest["choices"]).groupby("arm")["value"].mean()
    tested = difference.confirmed.groupby("arm")["test_macro_f1"].mean()
    assert ((chosen - tested) > 0).all() and ((chosen - tested) < 0.05).all()


def test_failed_is_mostly_failed_and_still_confirmed(folder: Any) -> None:
    failed = folder("failed")
    ended = failed.searched["state"].isin(["failed", "oom"]).mean()
    assert 0.5 < ended < 0.7
    assert set(failed.searched.query("state == 'failed'")["stop_reason"]) == {"error"}
    assert len(failed.confirmed) == 20


def test_leaked_keeps_and_profits(folder: Any) -> None:
    leaked = folder("leaked")
    assert leaked.manifest["space"]["data"]["leaks"] == "keep"
    assert set(leaked.manifest["splits"]["dropped"].values()) == {0}
    assert leaked.manifest["dataset"]["audit"]["test_in_training"] == 75
    better = leaked.confirmed["test_macro_f1"] - leaked.confirmed["test_clean_macro_f1"]
    assert (better > 0.01).all()


def test_limit_is_one_arms_in_most_studies(folder: Any) -> None:
    choices = folder("limit").manifest["choices"]
    at_end = {
        arm: sum(c["arm"] == arm and c["config"]["lr_head"] > 0.0091 for c in choices)
        for arm in ARMS
    }
    assert at_end[ARMS[0]] <= 1 and at_end[ARMS[1]] >= 3


def test_unfinished_has_trials_under_way(folder: Any) -> None:
    unfinished = folder("unfinished")
    epochs = unfinished.read("epochs")
    running = set(epochs["trial"]) - set(unfinished.read("trials")["trial"])
    assert running == {120, 121, 122, 123}
    assert len(unfinished.searched) == 120 and unfinished.read("predictions").empty
    assert unfinished.manifest["choices"] == [] and unfinished.manifest["ended"] is None


def test_other_parameter_has_one_backbone(folder: Any) -> None:
    other = folder("other_parameter")
    assert set(other.read("trials")["backbone"]) == {"resnet50"}
    assert (other.read("trials")["optimizer"] == other.read("trials")["arm"]).all()
    assert other.manifest["space"]["compare"]["parameter"] == "optimizer"


def test_small_marks_of_the_other_scenarios(tmp_path: Path) -> None:
    def small(name: str, **changes: Any) -> Folder:
        plan = replace(SCENARIOS[name], pictures=60, replicates=1, **changes)
        return Folder(tmp_path / name, plan)

    peeked = small("peeked", trials=4).manifest
    assert peeked["first_test_read_at"] < peeked["choice_frozen_at"]
    assert {a["weights"] for a in small("recipes", trials=4).manifest["arms"].values()} == {
        "imagenet-v1",
        "imagenet-v2",
    }
    starved = small("starved", trials={ARMS[0]: 9, ARMS[1]: 3})
    assert starved.searched["arm"].value_counts().tolist() == [9, 3]
    assert small("unconfirmed", trials=4).confirmed.empty


def test_two_arms_of_one_backbone_and_one_with_spoilt_labels(tmp_path: Path) -> None:
    plan = Plan(
        skill={"plain": 0.6, "spoilt": 0.5},
        values=dict.fromkeys(("plain", "spoilt"), "resnet18"),
        label_noise={"spoilt": 0.3},
        trials=3,
        pictures=60,
        search_seed=5,
    )
    made = Folder(tmp_path, plan)
    assert set(made.read("trials")["backbone"]) == {"resnet18"}
    noise = made.read("trials").groupby("arm")["label_noise"].agg(["min", "max"])
    assert noise.loc["plain"].tolist() == [0, 0] and noise.loc["spoilt"].tolist() == [0.3, 0.3]
    assert made.manifest["space"]["parameters"]["label_noise"] == {"per_arm": {"spoilt": 0.3}}
    assert made.manifest["seeds"]["search"] == 5


def test_same_plan_same_bytes(tmp_path: Path) -> None:
    plan = Plan(pictures=60, seeds=2)
    one, two, other = (
        make(tmp_path / name, chosen)
        for name, chosen in (("one", plan), ("two", plan), ("other", replace(plan, seed=8)))
    )
    files = [str(p.relative_to(one)) for p in one.rglob("*") if p.is_file()]
    assert len(files) == 7
    assert filecmp.cmpfiles(one, two, files, shallow=False)[0] == files
    assert filecmp.cmpfiles(one, other, files, shallow=False)[0] == []
