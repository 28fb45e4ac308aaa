"""The decision table row by row, then whole searches through the checks to the sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_search import Plan, write
from judging import judged

from analysis.estimators.estimate import Estimate
from analysis.inputs.loading import load
from analysis.report.evidence import Evidence
from analysis.settings import Settings
from analysis.verdict.decision import decide
from analysis.verdict.wording import because, sentence


def gap(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=5, estimator="made up")


@pytest.mark.parametrize(
    ("broken", "difference", "superiority", "row", "kind"),
    [
        (True, gap(0.05, 0.04, 0.06), 1.0, 0, "not comparable"),
        (False, gap(0.002, -0.004, 0.008), 0.6, 1, "small"),
        (False, gap(0.006, 0.003, 0.009), 0.9, 1, "small"),
        (False, gap(0.006, -0.004, 0.016), 0.9, 2, "inconclusive"),
        (False, gap(0.05, -0.01, 0.11), 0.9, 2, "inconclusive"),
        (False, gap(0.02, 0.012, 0.028), 0.75, 3, "better"),
        (False, gap(0.02, 0.012, 0.028), 0.74, 4, "small"),
        (False, gap(0.009, 0.001, 0.017), 0.9, 4, "small"),
    ],
)
def test_first_row_that_fits(
    broken: bool, difference: Estimate, superiority: float, row: int, kind: str
) -> None:
    verdict, rows = decide(broken=broken, difference=difference, superiority=superiority)
    assert verdict == kind
    assert [r.fits for r in rows] == [number == row for number in range(5)]


def test_smallest_effect_moves_the_verdict() -> None:
    difference = gap(0.02, 0.012, 0.028)
    kinds = [
        decide(broken=False, difference=difference, superiority=0.9, smallest_effect=effect)[0]
        for effect in (0.01, 0.025, 0.03)
    ]
    assert kinds == ["better", "small", "small"]


def test_holm_overrules_the_interval() -> None:
    difference = gap(0.02, -0.001, 0.041)
    kind, _ = decide(broken=False, difference=difference, superiority=0.9, significant=True)
    assert kind == "better"


def report_of(folder: Path, plan: Plan, **manifest: Any) -> dict[str, Any]:
    return judged(load(write(folder, plan, **manifest)))


EQUAL = {"densenet161": 0.64, "resnet152": 0.64}


def test_one_study_speaks_of_configurations(tmp_path: Path) -> None:
    report = report_of(tmp_path, Plan())
    verdict = report["verdict"]
    assert verdict["kind"] == "better"
    assert "densenet161 configuration found is better than the resnet152" in verdict["sentence"]
    assert "5 seeds per arm" in verdict["sentence"]
    assert "family" not in verdict["sentence"]
    assert "not about the two families" in " ".join(verdict["notes"])
    assert report["arms"][0]["test_macro_f1"]["of"] == "seeds"


def test_five_studies_speak_of_families(tmp_path: Path) -> None:
    report = report_of(tmp_path, Plan(replicates=5, seeds=2, trials=20))
    assert report["verdict"]["kind"] == "better"
    assert "densenet161 family is better" in report["verdict"]["sentence"]
    assert report["pairs"][0]["scope"] == "families"
    # The study is the unit: five values, not ten.
    assert report["arms"][0]["test_macro_f1"]["n"] == 5
    assert report["arms"][0]["spread"]["n"] == 10


def test_three_studies_do_not(tmp_path: Path) -> None:
    report = report_of(tmp_path, Plan(replicates=3, seeds=3, trials=12))
    assert report["pairs"][0]["scope"] == "configurations"
    assert "configurations found are better" in report["verdict"]["sentence"]
    assert "Only 3 studies have a score in every arm" in " ".join(report["verdict"]["notes"])
    assert report["arms"][0]["test_macro_f1"]["n"] == 3


def test_families_need_five_confirmed_studies(tmp_path: Path) -> None:
    """Five studies were asked for, but one arm lost one."""
    write(tmp_path, Plan(replicates=5, seeds=2, trials=20))
    search = load(tmp_path)
    lost = (search.confirmations["arm"] == "resnet152") & (search.confirmations["replicate"] == 4)
    search.confirmations.loc[lost, "test_macro_f1"] = None
    report = judged(search)
    assert report["pairs"][0]["scope"] == "configurations"
    assert any("4 of 5 studies" in check["detail"] for check in report["validity"])
    assert any("18 of 20 runs" in text for text in report["verdict"]["cautions"])


def test_equal_arms_with_little_spread_are_small(tmp_path: Path) -> None:
    plan = Plan(skill=EQUAL, seed_spread=0.002, study_spread=0.0, seeds=8, pictures=900)
    report = report_of(tmp_path, plan)
    assert report["verdict"]["kind"] == "small"
    assert "No relevant difference" in report["verdict"]["sentence"]


def test_equal_arms_with_much_spread_are_inconclusive(tmp_path: Path) -> None:
    report = report_of(tmp_path, Plan(skill=EQUAL, seed_spread=0.03, seed=1))
    assert report["verdict"]["kind"] == "inconclusive"
    assert "includes zero" in report["verdict"]["sentence"]
    remedy, reported = report["pairs"][0]["remedy"], " ".join(report["verdict"]["notes"])
    assert remedy["units_now"] == 5
    smallest = remedy["steps"][-1]
    assert smallest["effect"] == 0.01 and smallest["more_hours"] > 0
    assert smallest["units_per_arm"] > 5
    more = smallest["units_per_arm"] - 5
    assert (
        f"about {smallest['units_per_arm']} to detect 1.0 points ({more} more per arm" in reported
    )
    assert "accelerator-hours" in reported and "80 % power" in reported


def test_the_reason_is_told(tmp_path: Path) -> None:
    kinds = {
        "better": Plan(),
        "small": Plan(skill=EQUAL, seed_spread=0.002, study_spread=0.0, seeds=8, pictures=900),
        "inconclusive": Plan(skill=EQUAL, seed_spread=0.03, seed=1),
    }
    words = {
        "better": "the interval excludes zero, P(densenet161 > resnet152)",
        "small": "the whole interval is within the smallest effect of interest, ±1.0",
        "inconclusive": "the interval includes zero",
    }
    for kind, plan in kinds.items():
        verdict = report_of(tmp_path / kind, plan)["verdict"]
        assert verdict["kind"] == kind
        assert verdict["notes"][0].startswith(f"Because {words[kind]}")


def test_numbers_without_a_verdict_are_said_to_be_none(tmp_path: Path) -> None:
    notes = report_of(tmp_path, Plan(seeds=2))["verdict"]["notes"]
    assert len(notes) == 1 and "does not show which arm is better" in notes[0]


@pytest.mark.parametrize(
    ("plan", "manifest", "check", "words"),
    [
        (Plan(trials={"densenet161": 12, "resnet152": 6}), {}, "trials", "unequal budgets"),
        (Plan(weights={"resnet152": "imagenet-v2"}), {}, "weights", "between recipes"),
        (Plan(allocation="sampled"), {}, "allocation", "comparison is unbalanced"),
        (Plan(seeds=1), {}, "units", "too few seeds (5 per arm are needed)"),
        (Plan(seeds=4), {}, "units", "too few seeds (5 per arm are needed)"),
        (Plan(logistic=0.63), {}, "floor_logistic_regression", "not above logistic regression"),
        (Plan(), {"first_test_read_at": 1.0}, "choice", "before the choice"),
        (Plan(), {"choice_frozen_at": None}, "choice", "no choice was frozen"),
        (Plan(failures=0.6, trials=20), {}, "failures", "too many trials"),
        (
            Plan(skill={"densenet161": 0.6, "resnet152": 0.08}),
            {},
            "floor_majority",
            "not above majority class",
        ),
        (
            Plan(confirmed=False, state="running"),
            {},
            "units",
            "no configuration has been confirmed",
        ),
    ],
)
def test_broken_checks_are_named(
    tmp_path: Path, plan: Plan, manifest: dict[str, Any], check: str, words: str
) -> None:
    report = report_of(tmp_path, plan, **manifest)
    broken = {c["id"]: c["detail"] for c in report["validity"] if c["status"] == "broken"}
    assert check in broken
    assert report["verdict"]["kind"] == "not comparable"
    assert words in broken[check]
    assert words in report["verdict"]["sentence"]


def test_runs_that_do_not_differ_are_not_comparable(tmp_path: Path) -> None:
    """No spread would make an interval of no width, and a certainty out of nothing."""
    search = load(write(tmp_path, Plan()))
    search.confirmations["test_macro_f1"] = search.confirmations["arm"].map(
        {"densenet161": 0.66, "resnet152": 0.61}
    )
    verdict = judged(search)["verdict"]
    assert verdict["kind"] == "not comparable"
    assert "so the variance is unknown" in verdict["sentence"]


def test_different_test_pictures_are_not_comparable(tmp_path: Path) -> None:
    write(tmp_path, Plan())
    search, rows = load(tmp_path), load(tmp_path).predictions
    fewer = rows[(rows["arm"] != "resnet152") | (rows["position"] >= 3)]
    verdict = judged(replace(search, predictions=fewer))["verdict"]
    assert verdict["kind"] == "not comparable"
    assert "different test pictures" in verdict["sentence"]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(replicates=5, trials=20, seeds=1), "only 1 seed per study"),
        (Plan(state="interrupted"), "the search is interrupted"),
        (Plan(floors=False), "no comparison with majority class"),
    ],
)
def test_warnings_stand_on_the_first_screen(tmp_path: Path, plan: Plan, words: str) -> None:
    verdict = report_of(tmp_path, plan)["verdict"]
    assert verdict["kind"] != "not comparable"
    assert any(words in caution for caution in verdict["cautions"])


def test_scores_that_do_not_follow_from_predictions_are_noticed(tmp_path: Path) -> None:
    write(tmp_path, Plan())
    search = load(tmp_path)
    search.confirmations.loc[0, "test_macro_f1"] += 0.01
    cautions = judged(search)["verdict"]["cautions"]
    assert any("1 of 10 runs differ, by up to 0.0100" in caution for caution in cautions)


def test_one_arm_has_no_verdict(tmp_path: Path) -> None:
    report = report_of(tmp_path, Plan(skill={"resnet50": 0.6}))
    assert report["verdict"]["kind"] == "none"
    assert report["pairs"] == []
    assert report["arms"][0]["test_macro_f1"]["value"] == pytest.approx(0.6, abs=0.04)


def test_three_arms_are_compared_in_pairs(tmp_path: Path) -> None:
    plan = Plan(skill={"densenet161": 0.66, "resnet152": 0.62, "resnet50": 0.62}, seeds=6)
    report = report_of(tmp_path, plan)
    assert report["verdict"]["kind"] == "pairwise"
    assert report["verdict"]["sentence"].startswith("3 pairwise comparisons of 3 arms")
    assert len(report["pairs"]) == 3
    for pair in report["pairs"]:
        assert pair["difference"]["level"] == pytest.approx(1 - 0.05 / 3)
        assert pair["p_holm"]["value"] >= pair["p_value"]["value"]


def test_a_pair_is_judged_by_its_own_checks(tmp_path: Path) -> None:
    skill = {"densenet161": 0.66, "resnet152": 0.62, "resnet50": 0.62}
    trials = {"densenet161": 12, "resnet152": 12, "resnet50": 4}
    pairs = report_of(tmp_path, Plan(skill=skill, trials=trials))["pairs"]
    kinds = {frozenset((pair["first"], pair["second"])): pair["verdict"] for pair in pairs}
    assert kinds[frozenset(("densenet161", "resnet152"))] == "better"
    assert kinds[frozenset(("densenet161", "resnet50"))] == "not comparable"


def test_several_pairs_go_by_holm_and_say_so(tmp_path: Path) -> None:
    plan = Plan(skill={"densenet161": 0.66, "resnet152": 0.62, "resnet50": 0.62}, seeds=6)
    search = load(write(tmp_path, plan))
    pairs = Evidence(search=search, settings=Settings()).pairs
    for pair in pairs:
        reported = because(pair, 0.01)
        assert reported.startswith("Because Holm's p ")
        assert ("does not exclude zero" in reported) == (pair.kind == "inconclusive")
        assert (
            "the interval excludes zero" not in reported
            and "interval includes zero" not in reported
        )
        assert "interval includes zero" not in sentence(pair, 0.01)
        assert "Holm's p does not exclude zero" in [row.condition for row in pair.rows]
    assert {pair.kind for pair in pairs} == {"better", "inconclusive"}


@pytest.mark.parametrize(
    ("p", "words"), [(0.0004, "Holm's p < 0.001"), (0.001, "Holm's p = 0.001"), (0.0, "p = 0.000")]
)
def test_a_small_p_is_below_and_not_equal(tmp_path: Path, p: float, words: str) -> None:
    search = load(write(tmp_path, Plan()))
    pair = Evidence(search=search, settings=Settings()).pairs[0]
    reported = because(replace(pair, corrected=True, p_holm=p), 0.01)
    assert f"{words} excludes zero" in reported


def test_numbers_that_differ_are_not_rounded_alike(tmp_path: Path) -> None:
    search = load(write(tmp_path, Plan()))
    pair = Evidence(search=search, settings=Settings()).pairs[0]
    assert pair.difference is not None and pair.superiority is not None
    near = replace(
        pair,
        kind="small",
        difference=replace(pair.difference, value=0.0098, low=0.001, high=0.02),
        superiority=replace(pair.superiority, value=0.748),
    )
    reported = because(near, 0.01)
    assert "0.980 points are below 1.000" in reported and "= 0.7480 is below 0.75" in reported
