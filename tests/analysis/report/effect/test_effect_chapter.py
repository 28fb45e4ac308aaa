"""The chapter on the effect: opinions against SciPy and statsmodels, hand-made optimism, words."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from answered_search import answered, blocks_of, evidence_of
from reported_search import assert_sound, chapter_of, column, lines, report_of, tables
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of
from statsmodels.stats.multitest import multipletests
from trained_search import PLANS, planned, trained

from analysis.inputs.search import Search
from analysis.report.effect.chapter import chapter
from analysis.report.effect.checkpoints import duel
from analysis.report.effect.optimism import optimism
from analysis.report.presentation.blocks import Heading, Text
from analysis.report.quantities import Json, plain
from analysis.report.reading import typed
from analysis.report.schema import Report
from analysis.verdict.opinions import least_p_value


def _units(search: Search, arm: str, column: str) -> np.ndarray[Any, Any]:
    mine = search.confirmations[search.confirmations["arm"] == arm]
    key = "replicate" if search.unit == "study" else "seed"
    return mine.groupby(key)[column].mean().to_numpy()


@pytest.mark.parametrize("name", PLANS)
def test_sound_on_every_search(name: str) -> None:
    assert_sound(chapter, name)


@pytest.mark.parametrize("name", ["whole", "studies"])
@pytest.mark.parametrize(
    ("opinion", "scored"),
    [
        ("welch", "test_macro_f1"),
        ("clean", "test_clean_macro_f1"),
        ("accuracy", "test_accuracy"),
    ],
)
def test_welch_agrees_with_scipy(name: str, opinion: str, scored: str) -> None:
    search, pair = planned(name), report_of(name)["effect"]["pairs"][0]
    reported = next(one for one in pair["opinions"] if one["id"] == opinion)
    a, b = (_units(search, pair[side], scored) for side in ("first", "second"))
    result = stats.ttest_ind(a, b, equal_var=False)
    interval = result.confidence_interval(0.95)
    assert reported["estimate"]["value"] == pytest.approx(a.mean() - b.mean())
    assert reported["estimate"]["low"] == pytest.approx(interval.low)
    assert reported["estimate"]["high"] == pytest.approx(interval.high)
    assert reported["p_value"]["value"] == pytest.approx(result.pvalue)
    assert reported["excludes_zero"] == (result.pvalue < 0.05)
    assert reported["estimate"]["n"] == 5


def test_permutation_by_counting_every_split() -> None:
    search, pair = planned("studies"), report_of("studies")["effect"]["pairs"][0]
    reported = next(one for one in pair["opinions"] if one["id"] == "permutation")
    a, b = (_units(search, pair[side], "test_macro_f1") for side in ("first", "second"))
    both = np.concatenate([a, b])
    seen = a.mean() - b.mean()
    gaps = np.array(
        [
            both[list(chosen)].mean() - np.delete(both, list(chosen)).mean()
            for chosen in combinations(range(10), 5)
        ]
    )
    tails = min((gaps >= seen - 1e-12).mean(), (gaps <= seen + 1e-12).mean())
    assert reported["p_value"]["value"] == pytest.approx(min(1.0, 2 * tails))
    assert (
        reported["least"]["value"] == pytest.approx(2 / 252) == pytest.approx(least_p_value(5, 5))
    )
    assert reported["estimate"]["low"] is None


@pytest.mark.parametrize("opinion", ["welch", "permutation", "clean", "accuracy"])
def test_several_pairs_are_corrected_by_holm(opinion: str) -> None:
    reported = [
        next(one for one in pair["opinions"] if one["id"] == opinion)
        for pair in report_of("three")["effect"]["pairs"]
    ]
    p_values = [one["p_value"]["value"] for one in reported]
    expected = multipletests(p_values, method="holm")[1]
    assert [one["p_holm"]["value"] for one in reported] == pytest.approx(expected)
    if reported[0]["estimate"]["low"] is not None:
        assert reported[0]["estimate"]["level"] == pytest.approx(1 - 0.05 / 3)


def test_what_could_not_have_excluded_zero_says_nothing() -> None:
    """Two seeds each: no label permutation reaches 5 %, and the BCa bootstrap is not heard."""
    reported = {one["id"]: one for one in report_of("six")["effect"]["pairs"][0]["opinions"]}
    assert reported["bca"]["estimate"]["n"] == 2 and reported["bca"]["excludes_zero"] is None
    assert reported["permutation"]["excludes_zero"] is None
    table = tables(chapter_of(chapter, "six"))["effect-all-opinions"]
    assert column(table, "zero excluded").count("unknown") >= 30


def test_least_p_value_is_that_of_samples_wholly_apart() -> None:
    for n, m in ((2, 2), (3, 3), (2, 5), (4, 6)):
        result = stats.permutation_test(
            (np.arange(n) + 100.0, np.arange(m, dtype=float)),
            lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
            vectorized=True,
            n_resamples=10_000,
        )
        assert least_p_value(n, m) == pytest.approx(result.pvalue)
    assert least_p_value(1, 1) == 1.0


# -- optimism -----------------------------------------------------------------------------------


def _confirmed(metric: str = "macro_f1") -> Search:
    """Two studies: validation 0.70 and 0.66; again 0.66, 0.68 and 0.64, 0.64; test below that."""
    runs = [
        {"replicate": 0, "seed": 1, "scores": (0.66,), "test_macro_f1": 0.61},
        {"replicate": 0, "seed": 2, "scores": (0.68,), "test_macro_f1": 0.63},
        {"replicate": 1, "seed": 3, "scores": (0.64,), "test_macro_f1": 0.62},
        {"replicate": 1, "seed": 4, "scores": (0.64,), "test_macro_f1": 0.64},
    ]
    return trained(
        [
            {"replicate": 0, "scores": (0.5, 0.70)},
            {"replicate": 1, "scores": (0.66,)},
            {"replicate": 1, "scores": (0.99,)},  # not the frozen choice
        ],
        confirmations=runs,
        choices=(0, 1),
        space={"metric": metric},
    )


def test_optimism_over_studies_and_its_parts() -> None:
    reported = optimism(_confirmed(), "densenet161")
    total, luck, splits = (reported[key] for key in ("total", "luck", "splits"))
    assert total is not None and luck is not None and splits is not None
    gaps = np.array([0.70 - 0.62, 0.66 - 0.63])
    assert total["value"] == pytest.approx(gaps.mean())
    half = stats.t.ppf(0.975, 1) * gaps.std(ddof=1) / 2**0.5
    assert (total["low"], total["high"]) == pytest.approx((gaps.mean() - half, gaps.mean() + half))
    assert luck["value"] == pytest.approx(np.mean([0.70 - 0.67, 0.66 - 0.64]))
    assert luck["value"] + splits["value"] == pytest.approx(total["value"])
    assert (total["n"], total["of"]) == (2, "studies")


def test_no_optimism_without_a_test_score_of_that_metric() -> None:
    assert optimism(_confirmed("loss"), "densenet161")["total"] is None
    assert optimism(trained([{"scores": (0.5,)}]), "densenet161")["total"] is None


# -- two checkpoints ----------------------------------------------------------------------------


def _two_checkpoints() -> Search:
    """Seed 1 of either arm has the better validation score; 40 pictures of two classes."""
    true = [0, 1] * 20
    sure = np.eye(2)[true]
    wrong = 1 - sure
    first, second = sure.copy(), sure.copy()
    first[:4], second[2:12] = wrong[:4], wrong[2:12]
    search = answered(true, {"a": [wrong, first], "b": [wrong, second]}, classes=("angry", "happy"))
    best = search.confirmations["seed"].map({0: 0.5, 1: 0.6})
    return replace(search, confirmations=search.confirmations.assign(best_val_macro_f1=best))


def test_checkpoints_are_the_best_by_validation_and_mcnemar_agrees_with_statsmodels() -> None:
    search = _two_checkpoints()
    evidence = evidence_of(search)
    reported = duel(evidence, evidence.pairs[0])
    assert reported is not None
    assert reported["trials"] == [1, 3]
    cells = [reported[key] for key in ("only_first", "only_second", "both", "neither")]
    assert cells == [8, 2, 28, 2]
    expected = mcnemar_of([[28, 8], [2, 2]], exact=True).pvalue
    assert reported["mcnemar"]["value"] == pytest.approx(expected)
    assert reported["mcnemar"]["n"] == 10
    assert reported["accuracy_difference"]["value"] == pytest.approx(6 / 40)
    assert (
        reported["difference"]["low"]
        < reported["difference"]["value"]
        < reported["difference"]["high"]
    )


def test_checkpoints_are_never_called_more_than_that() -> None:
    words = [b.words for b in blocks_of(chapter_of(chapter, "whole")) if isinstance(b, Text)]
    assert any("not about configurations or families" in text for text in words)


def test_of_many_arms_only_the_leading_two_are_set_side_by_side() -> None:
    shown = [pair for pair in report_of("six")["effect"]["pairs"] if pair["checkpoints"]]
    means = {a["arm"]: a["test_macro_f1"]["value"] for a in report_of("six")["arms"]}
    ahead = sorted(means, key=lambda arm: -means[arm])[:2]
    assert [(pair["first"], pair["second"]) for pair in shown] == [tuple(ahead)]


# -- what the chapter says ----------------------------------------------------------------------


def test_lead_has_effect_interval_and_opinions() -> None:
    pair = report_of("studies")["pairs"][0]
    lead = chapter_of(chapter, "studies").lead
    low, high = (f"{100 * pair['difference'][end]:+.1f}" for end in ("low", "high"))
    assert lead.startswith(f"{pair['first']} scores {100 * pair['difference']['value']:.1f} points")
    assert f"95 % interval {low} to {high}" in lead.replace("\N{MINUS SIGN}", "-")
    assert lead.endswith("all 4 alternative analyses also find a difference.")


def _with_opinions(**excluded: bool | None) -> Report:
    """The report of ``studies`` as if its opinions had come to something else."""
    report = plain(report_of("studies"))
    for one in report["effect"]["pairs"][0]["opinions"]:
        one["excludes_zero"] = excluded.get(one["id"], one["excludes_zero"])
    return typed(report)


@pytest.mark.parametrize(
    ("excluded", "words"),
    [
        ({"bca": False}, "but of 4 alternative analyses the BCa bootstrap does not exclude zero"),
        (
            {"clean": False, "accuracy": False},
            "the score on clean pictures and accuracy do not exclude zero",
        ),
        ({"welch": False}, "do exclude zero"),
        (
            dict.fromkeys(("welch", "bca", "permutation", "clean", "accuracy"), False),
            "and none of 4 alternative analyses excludes zero either",
        ),
        ({"permutation": None}, "all 3 alternative analyses also find a difference"),
        (
            dict.fromkeys(("bca", "permutation", "clean", "accuracy")),
            "there are no alternative analyses",
        ),
    ],
)
def test_lead_says_whether_opinions_agree(excluded: dict[str, bool | None], words: str) -> None:
    made = chapter(_with_opinions(**excluded))
    assert words in made.lead


def test_a_broken_check_is_no_verdict() -> None:
    report = plain(report_of("studies"))
    report["pairs"][0]["broken"] = ["one thing"]
    assert "a validity check failed, so this is not a verdict" in chapter(typed(report)).lead


def test_decision_table_as_applied() -> None:
    report = report_of("studies")
    table = tables(chapter_of(chapter, "studies"))["effect-decision"]
    fits = [row["fits"] for row in report["pairs"][0]["table"]]
    place = fits.index(True)
    holds = column(table, "met")
    assert holds[place] == "✓ decides" and table.rows[place].strong
    assert set(holds[:place]) == {"no"} and set(holds[place + 1 :]) <= {"not reached"}
    assert column(table, "verdict")[place] == report["verdict"]["kind"]
    assert column(table, "observed")[0] == "none failed"
    assert report["effect"]["pairs"][0]["because"].startswith("Because")


def test_several_arms_have_pairs_groups_and_one_decision_table() -> None:
    report = report_of("three")
    made = tables(chapter_of(chapter, "three"))
    pairs = made["effect-pairs"]
    assert column(pairs, "verdict") == [pair["verdict"] for pair in report["pairs"]]
    assert all(why.startswith("Because") for why in column(pairs, "reason"))
    decided = column(made["effect-decision"], "decided pairs")
    assert sum(words != "none" for words in decided) >= 1
    assert {"effect-groups-data", "effect-opinions-data"} <= set(made)
    assert "pairs of arms" in chapter_of(chapter, "three").lead


def test_groups_join_what_was_not_found_to_differ() -> None:
    report = report_of("three")
    apart = {
        frozenset((pair["first"], pair["second"]))
        for pair in report["pairs"]
        if pair["p_holm"]["value"] < 0.05
    }
    for group in report["effect"]["groups"]:
        assert not apart & {frozenset(two) for two in combinations(group, 2)}
    partners = lines(tables(chapter_of(chapter, "three"))["effect-groups-data"])
    for arm, row in partners.items():
        others = [a for a in partners if a != arm and frozenset((a, arm)) not in apart]
        assert row[-1] == (", ".join(sorted(others, key=list(partners).index)) or "none")


@pytest.mark.parametrize("name", ["unconfirmed", "running", "nothing", "all failed"])
def test_without_confirmation_there_is_only_that_to_say(name: str) -> None:
    made = chapter_of(chapter, name)
    assert made.blocks == () and "no configuration has been confirmed" in made.lead


def test_a_single_arm_has_scores_and_no_effect() -> None:
    made = chapter_of(chapter, "single")
    assert "is the only arm, so there is no effect" in made.lead
    found = tables(made)
    assert {"effect-arms", "effect-units", "effect-optimism"} <= set(found)
    assert "effect-decision" not in found and "effect-checkpoints" not in found


def test_every_unit_and_run_is_shown() -> None:
    report: Json = report_of("studies")
    table = tables(chapter_of(chapter, "studies"))["effect-units"]
    assert len(table.rows) == 5 and len(report["effect"]["runs"]) == 20
    first = table.rows[0].cells[1]
    own = [
        run["test_macro_f1"]
        for run in report["effect"]["runs"]
        if run["replicate"] == 0 and run["arm"] == report["arms"][0]["arm"]
    ]
    assert first.main.value == pytest.approx(np.mean(own))
    assert first.small == ", ".join(f"{score:.3f}" for score in own)


def test_headings_follow_the_way_from_effect_to_checkpoints() -> None:
    words = [b.words for b in blocks_of(chapter_of(chapter, "whole")) if isinstance(b, Heading)]
    assert words == [
        "Decision",
        "Scores by arm",
        "Selection optimism",
        "Two single checkpoints",
    ]
