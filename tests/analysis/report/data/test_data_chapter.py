"""The chapter on the data: effect of leaks and contradictions by hand, the audit in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answered_search import answered, blocks_of, evidence_of
from fake_search import Plan, write
from reported_search import assert_sound, chapter_of, column, lines, report_of, tables
from scipy import stats
from trained_search import PLANS, planned

from analysis.inputs.loading import load
from analysis.inputs.search import Search
from analysis.report.data.chapter import chapter
from analysis.report.data.schema import DataPart
from analysis.report.data.section import section
from analysis.report.data.words import findings
from analysis.report.presentation.blocks import Bullets, Text
from analysis.report.quantities import plain
from analysis.report.reading import typed


@pytest.mark.parametrize("name", PLANS)
def test_sound_on_every_search(name: str) -> None:
    assert_sound(chapter, name)


@pytest.mark.parametrize("name", ["whole", "studies"])
def test_change_is_taken_within_each_unit(name: str) -> None:
    search, reported = planned(name), report_of(name)["data"]["scores"]
    assert [row["arm"] for row in reported] == list(search.arms)
    key = "replicate" if search.unit == "study" else "seed"
    for row in reported:
        runs = search.confirmations[search.confirmations["arm"] == row["arm"]]
        gaps = (runs["test_clean_macro_f1"] - runs["test_macro_f1"]).groupby(runs[key]).mean()
        low, high = stats.t.interval(0.95, len(gaps) - 1, gaps.mean(), stats.sem(gaps))
        change = row["change"]
        assert change["value"] == pytest.approx(gaps.mean())
        assert (change["low"], change["high"]) == pytest.approx((low, high))


# -- subsets ------------------------------------------------------------------------------------

PICTURES = 120


def _leaky(kept: int = 30) -> Search:
    """Arm a knows the first ``kept`` pictures, leaked ones, by heart; else half is right."""
    true = [0, 1] * (PICTURES // 2)
    sure = np.eye(2)[true]
    half = sure.copy()
    half[2::4], half[3::4] = 1 - sure[2::4], 1 - sure[3::4]
    knowing = half.copy()
    knowing[:kept] = sure[:kept]
    return answered(
        true,
        {"a": [knowing, knowing], "b": [half, half]},
        classes=("angry", "happy"),
        flags={"leaked": range(kept), "conflicting": range(100, 105)},
    )


def test_accuracy_on_leaked_pictures_alone() -> None:
    reported = section(evidence_of(_leaky()))["subsets"]
    rows = {(row["arm"], row["subset"]): row for row in reported}
    assert rows["a", "clean"]["pictures"] == PICTURES - 35
    knows, guesses = rows["a", "leaked"], rows["b", "leaked"]
    # All alike: an interval of no width would claim what nobody knows.
    assert knows["accuracy"]["value"] == 1 and knows["accuracy"]["low"] is None
    right = np.array([1.0, 1.0, 0.0, 0.0] * 30)
    low, high = stats.t.interval(0.95, 29, right[:30].mean(), stats.sem(right[:30]))
    accuracy = guesses["accuracy"]
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((low, high))
    assert accuracy["n"] == 30 and accuracy["of"] == "test pictures"
    clean = np.delete(right, [*range(30), *range(100, 105)])
    expected = stats.ttest_ind(right[:30], clean, equal_var=False).confidence_interval(0.95)
    against = guesses["against_clean"]
    assert (against["low"], against["high"]) == pytest.approx((expected.low, expected.high))
    assert knows["against_clean"]["value"] == pytest.approx(1 - clean.mean())


def test_few_pictures_have_no_score() -> None:
    rows = {(r["arm"], r["subset"]): r for r in section(evidence_of(_leaky(19)))["subsets"]}
    assert rows["a", "leaked"]["accuracy"] is None
    assert rows["a", "conflicting"]["against_clean"] is None
    assert section(evidence_of(_leaky(20)))["subsets"][1]["accuracy"] is not None


# -- the verdict on clean pictures --------------------------------------------------------------


def _rescored(clean: dict[str, list[float]]) -> Search:
    """The plan ``whole`` as if its clean pictures had been scored like this, by arm."""
    search = planned("whole")
    runs = search.confirmations.copy()
    for arm, values in clean.items():
        runs.loc[runs["arm"] == arm, "test_clean_macro_f1"] = values
    return replace(search, confirmations=runs)


NEAR = [0.60, 0.61, 0.62, 0.63, 0.64]


@pytest.mark.parametrize(
    ("clean", "kind", "ahead", "words"),
    [
        ({}, "better", "densenet161", "the verdict stays the same"),
        (
            {"densenet161": NEAR, "resnet152": NEAR[::-1]},
            "inconclusive",
            "densenet161",
            "the verdict would be 'inconclusive' instead of 'better'",
        ),
        (
            {"densenet161": [v - 0.1 for v in NEAR], "resnet152": NEAR},
            "better",
            "resnet152",
            "the verdict would be 'better' in favour of resnet152 instead of 'better'",
        ),
    ],
)
def test_verdict_on_clean_pictures(
    clean: dict[str, list[float]], kind: str, ahead: str, words: str
) -> None:
    search = _rescored(clean)
    reported = section(evidence_of(search))["verdicts"][0]
    assert (reported["all"], reported["clean"], reported["clean_first"]) == ("better", kind, ahead)
    made = chapter_of(chapter, search)
    assert words in made.lead
    shown = column(tables(made)["data-verdicts"], "on clean pictures alone")[0]
    assert shown.startswith(kind) and (ahead in shown) == (ahead != reported["first"])


def test_change_of_the_difference_agrees_with_scipy() -> None:
    search, reported = planned("studies"), report_of("studies")["data"]["verdicts"][0]
    runs = search.confirmations
    gaps = (
        (runs["test_clean_macro_f1"] - runs["test_macro_f1"])
        .groupby([runs["arm"], runs["replicate"]])
        .mean()
    )
    a, b = gaps[reported["first"]], gaps[reported["second"]]
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    change = reported["change"]
    assert change["value"] == pytest.approx(
        reported["clean_difference"]["value"] - reported["difference"]["value"]
    )
    assert (change["low"], change["high"]) == pytest.approx((interval.low, interval.high))


def test_what_is_not_comparable_has_no_verdict_to_change(tmp_path: Path) -> None:
    made = chapter_of(chapter, load(write(tmp_path, Plan(trials=3, peeked=True))))
    assert "verdict" not in made.lead and "on clean pictures alone scores change" in made.lead


def test_several_pairs_are_counted() -> None:
    assert "of 3 verdicts stay the same" in chapter_of(chapter, "three").lead


def test_pairs_without_a_verdict_are_not_counted() -> None:
    report = plain(report_of("three"))
    first, second, third = report["data"]["verdicts"]
    first["all"] = first["clean"] = "not comparable"
    second["clean"] = None
    third["clean"] = third["all"]
    assert "1 of 1 verdicts stay the same" in chapter(typed(report)).lead
    third["clean"] = None
    assert "verdict" not in chapter(typed(report)).lead


def test_no_leak_moves_no_score_and_claims_no_certainty() -> None:
    search = planned("whole")
    runs = search.confirmations.assign(test_clean_macro_f1=search.confirmations["test_macro_f1"])
    for row in section(evidence_of(replace(search, confirmations=runs)))["scores"]:
        assert (row["change"]["value"], row["change"]["low"]) == (0, None)


# -- words and splits ---------------------------------------------------------------------------


def _with_counts(leaks: str = "drop", **counts: Any) -> DataPart:
    report = plain(report_of("whole"))
    report["data"]["counts"].update(counts)
    report["data"]["handling"] = {"leaks": leaks, "conflicts": leaks}
    return typed(report).data


def test_audit_in_plain_words() -> None:
    reported = " ".join(
        findings(
            _with_counts(
                pictures=35_340,
                copy_groups=1_200,
                copy_pictures=2_500,
                test_in_training=456,
                test_in_validation=7,
                conflicting_groups=1,
                conflicting_pictures=3,
                blank_pictures=1,
            )
        )
    )
    assert "2,500 of 35,340 pictures are exact copies of one another, in 1,200 groups" in reported
    assert (
        "456 test pictures are also in the source's training split, 7 in its validation" in reported
    )
    assert "The copies were removed from training" in reported
    assert "3 pictures in 1 group of copies have conflicting labels" in reported
    assert "1 picture is blank" in reported
    assert "1 test picture is also" in " ".join(findings(_with_counts(test_in_training=1)))
    assert "The copies stayed in training" in " ".join(findings(_with_counts("keep")))


def test_a_clean_dataset_is_said_to_be_clean() -> None:
    none = dict.fromkeys(
        (
            "copy_groups",
            "copy_pictures",
            "test_in_training",
            "test_in_validation",
            "conflicting_groups",
            "conflicting_pictures",
            "blank_pictures",
        ),
        0,
    )
    assert findings(_with_counts(**none))[:4] == (
        "No picture is an exact copy of another.",
        "No test picture has a copy in training or validation.",
        "No picture has a copy with another label.",
        "No picture is blank.",
    )


def test_what_an_older_audit_lacks_is_left_out() -> None:
    lacking = dict.fromkeys(report_of("whole")["data"]["counts"])
    assert findings(_with_counts(**lacking)) == ()


def test_class_balance_by_split() -> None:
    made = tables(chapter_of(chapter, "whole"))
    splits, balance = lines(made["splits"]), lines(made["data-balance-data"])
    total = float(splits["all"][0].replace(",", ""))
    share = float(splits["happy"][0].replace(",", "")) / total
    assert balance["happy"][0] == f"{100 * share:.0f} %"
    words = [b.words for b in blocks_of(chapter_of(chapter, "whole")) if isinstance(b, Text)]
    assert any("66 copies of test pictures, 20 pictures with a copy" in text for text in words)


def test_without_audit_or_splits_that_is_said(tmp_path: Path) -> None:
    plan = Plan(trials=0, confirmed=False, state="running", floors=False)
    made = chapter_of(chapter, load(write(tmp_path, plan, dataset={}, splits={})))
    assert made.lead == "The splits are not recorded yet."
    assert not any(isinstance(block, Bullets) for block in blocks_of(made))
    assert tables(made) == {}
