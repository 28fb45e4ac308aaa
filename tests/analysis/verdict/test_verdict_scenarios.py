"""Two hundred trials of every kind: the report comes to the right verdict and names the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_search import SCENARIOS, Plan, write
from judging import judged

from analysis.inputs.loading import load
from analysis.report import build
from analysis.settings import Settings


@pytest.fixture(scope="module")
def report_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    built: dict[str, dict[str, Any]] = {}

    def get(name: str) -> dict[str, Any]:
        if name not in built:
            folder = write(tmp_path_factory.mktemp(name), SCENARIOS[name])
            built[name] = build(load(folder))
        return built[name]

    return get


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("starved", "trials", "unequal budgets: densenet161 100, resnet152 35"),
        ("failed", "failures", "too many trials ended as oom or failed"),
        ("leaked", "leaks", "copies of 75 of 600 test pictures were left in training"),
        ("peeked", "choice", "read before the choice was frozen"),
        ("limit", "limits", "resnet152 lr_head at its upper limit"),
        ("recipes", "weights", "densenet161 imagenet-v1, resnet152 imagenet-v2"),
        ("below_floor", "floor_majority", "not above majority class"),
        ("few_seeds", "units", "too few seeds (5 per arm are needed)"),
        ("unconfirmed", "units", "no configuration has been confirmed"),
        ("unfinished", "units", "no configuration has been confirmed"),
    ],
)
def test_what_is_not_comparable_is_not_compared(
    report_of: Any, name: str, check: str, words: str
) -> None:
    report = report_of(name)
    broken = {c["id"]: c["detail"] for c in report["validity"] if c["status"] == "broken"}
    assert report["verdict"]["kind"] == "not comparable"
    assert words in broken[check] and words in report["verdict"]["sentence"]


def test_only_what_was_spoilt_is_broken(report_of: Any) -> None:
    for name in ("starved", "failed", "leaked", "peeked", "limit", "recipes", "few_seeds"):
        broken = [c["id"] for c in report_of(name)["validity"] if c["status"] == "broken"]
        assert len(broken) == 1, (name, broken)


def test_a_true_difference_is_found(report_of: Any) -> None:
    report = report_of("difference")
    assert report["verdict"]["kind"] == "better"
    assert report["verdict"]["sentence"].startswith("The densenet161 family is better")
    gap = report["pairs"][0]["difference"]
    assert gap["n"] == 5 and gap["value"] == pytest.approx(0.04, abs=0.015)
    assert not [c for c in report["validity"] if c["status"] == "broken"]


def test_no_difference_is_not_found(report_of: Any) -> None:
    assert report_of("none")["verdict"]["kind"] == "small"


def test_the_smallest_effect_is_the_readers(tmp_path: Path) -> None:
    search = load(write(tmp_path, SCENARIOS["difference"]))
    assert judged(search, Settings(smallest_effect=0.08))["verdict"]["kind"] == "small"


def test_failures_are_the_readers_to_forgive(tmp_path: Path) -> None:
    search = load(write(tmp_path, SCENARIOS["failed"]))
    assert judged(search, Settings(failed_share=0.8))["verdict"]["kind"] == "better"


def test_any_parameter_is_compared(report_of: Any) -> None:
    report = report_of("other_parameter")
    assert report["search"]["compared_parameter"] == "optimizer"
    assert "adamw family is better than the sgd family" in report["verdict"]["sentence"]


def test_more_arms_are_compared_in_pairs(report_of: Any) -> None:
    three, six = report_of("three"), report_of("six")
    assert (len(three["pairs"]), len(six["pairs"])) == (3, 15)
    assert three["verdict"]["kind"] == six["verdict"]["kind"] == "pairwise"
    kinds = {p["verdict"] for p in six["pairs"]}
    assert "better" in kinds and "not comparable" not in kinds


def test_one_arm_alone_has_no_verdict(report_of: Any) -> None:
    report = report_of("single")
    assert report["verdict"]["kind"] == "none" and report["pairs"] == []
    assert report["arms"][0]["test_macro_f1"]["n"] == 5


#: One study per arm, so that a single chosen value decides.
_ONE = Plan(trials=40, baselines=False, random_share=0.25)


def test_one_value_at_a_limit_needs_others_beside_it(tmp_path: Path) -> None:
    """By chance alone warns; with the next best trials at the same limit nothing is compared."""
    folder = write(tmp_path, _ONE)
    for others, status in ((1e-3, "warn"), (1e-2, "broken")):
        search = load(folder)
        middle = {"lr_backbone": 1e-4, "dropout": 0.2, "label_smoothing": 0.1}
        search.trials[list(middle)] = list(middle.values())
        arm = search.arms[0]
        mine = search.trials["arm"] == arm
        chosen = search.trials["trial"].isin(search.chosen[arm])
        search.trials["lr_head"] = 1e-3
        search.trials.loc[mine & ~chosen, "lr_head"] = others
        search.trials.loc[mine & chosen, "lr_head"] = 1e-2
        checks = {c["id"]: c for c in judged(search)["validity"]}
        assert checks["limits"]["status"] == status
        assert f"{arm} lr_head at its upper limit" in checks["limits"]["detail"]


def test_unequal_epochs_and_lengths_warn(tmp_path: Path) -> None:
    search = load(write(tmp_path, replace(_ONE, trials=20)))
    mine = search.trials["arm"] == search.arms[0]
    search.trials.loc[mine, "epochs"] *= 4
    assert _status(search)["epochs"] == "warn"
    search = load(tmp_path)
    assert _status(search)["epochs"] == "pass"
    search.trials.loc[mine, "max_epochs"] += 4
    assert _status(search)["epochs"] == "warn"


def _status(search: Any) -> dict[str, str]:
    return {c["id"]: c["status"] for c in judged(search)["validity"]}
