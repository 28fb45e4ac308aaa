"""What is said of the effect where an interval or a score is missing, or there are several arms."""

from __future__ import annotations

from pathlib import Path

import pytest
from answered_search import blocks_of
from fake_search import Plan, write
from reported_search import chapter_of, report_of, tables
from trained_search import trained

from analysis.inputs.loading import load
from analysis.inputs.search import Search
from analysis.report import build
from analysis.report.effect.chapter import chapter
from analysis.report.presentation.blocks import Text
from analysis.report.quantities import plain
from analysis.report.reading import typed


def _scored(**scores: list[float]) -> Search:
    """An arm per keyword, a seed per score; clean pictures and accuracy score alike."""
    columns = ("test_macro_f1", "test_clean_macro_f1", "test_accuracy")
    runs = [
        {"arm": arm, "seed": seed, "scores": (0.6,), **dict.fromkeys(columns, score)}
        for arm, values in scores.items()
        for seed, score in enumerate(values)
    ]
    trials = [{"arm": arm, "scores": (0.6,)} for arm in scores]
    return trained(trials, arms=tuple(scores), confirmations=runs)


@pytest.mark.parametrize(
    ("scores", "end"),
    [
        (
            {"a": [0.62], "b": [0.6]},
            "(no interval: a single unit); with so few units there are no alternative analyses; ",
        ),
        (
            {"a": [0.62], "b": [0.6, 0.61, 0.6]},
            "(no interval: a single unit); with so few units there are no alternative analyses; ",
        ),
        ({"a": [0.6] * 5, "b": [0.6] * 5}, "(no interval: the scores do not vary); "),
    ],
)
def test_why_there_is_no_interval(scores: dict[str, list[float]], end: str) -> None:
    made = chapter_of(chapter, _scored(**scores))
    assert end in made.lead and "failed, so this is not a verdict" in made.lead
    caption = tables(made)["effect-opinions-table"].caption
    assert caption.startswith("The alternative analyses do not affect the verdict.")


def test_one_seed_per_arm_has_a_report(tmp_path: Path) -> None:
    made = chapter_of(chapter, load(write(tmp_path, Plan(trials=3, seeds=1))))
    assert "no interval: a single unit" in made.lead


def test_the_level_is_that_of_a_pair_with_an_interval() -> None:
    flat = [0.6] * 5
    made = chapter_of(chapter, _scored(a=flat, b=flat, c=[0.7, 0.71, 0.72, 0.73, 0.74]))
    found = tables(made)
    assert found["effect-all-opinions"].caption.startswith("Small print: intervals at 98.3 %")
    assert "at 98.3 % each, so that they cover jointly" in found["effect-pairs"].caption


def test_pairs_that_are_not_comparable_are_counted_in_the_lead() -> None:
    report = plain(report_of("three"))
    for pair in report["pairs"]:
        pair["broken"] = []
    assert "not comparable" not in chapter(typed(report)).lead
    report["pairs"][0]["broken"] = ["one thing"]
    lead = chapter(typed(report)).lead
    assert lead.endswith("; 1 of 3 pairs is not comparable and without a verdict.")
    report["pairs"][1]["broken"] = ["one thing", "another"]
    assert "2 of 3 pairs are not comparable" in chapter(typed(report)).lead


@pytest.mark.parametrize(
    ("metric", "words"),
    [("loss", "ranked by loss, which is not recorded"), ("macro-F1", "No confirmation run can be")],
)
def test_why_optimism_is_missing(metric: str, words: str) -> None:
    report = plain(report_of("whole"))
    report["search"]["metric"] = metric
    for arm in report["effect"]["arms"]:
        arm["optimism"] = dict.fromkeys(arm["optimism"])
    said = [b.words for b in blocks_of(chapter(typed(report))) if isinstance(b, Text)]
    assert any(words in text for text in said)


def test_a_loss_is_the_lowest_of_many_and_the_eligible_are_counted() -> None:
    trials = [
        {"scores": (0.6,), "best_val_loss": 0.9},
        {"scores": (0.7,), "best_val_loss": 0.8, "state": "overfit"},
        {"scores": (0.8,), "best_val_loss": 0.1, "state": "pruned"},
        {"scores": (), "state": "failed"},
    ]
    runs = [{"seed": s, "scores": (0.6,), "test_macro_f1": 0.6 + s / 100} for s in range(3)]
    biased = {"loss": "minimum of many and therefore biased downwards",
              "macro_f1": "maximum of many and therefore biased upwards"}  # fmt: skip
    for metric, words in biased.items():
        search = trained(trials, confirmations=runs, space={"metric": metric})
        report = build(search)
        best = report["arms"][0]["best_validation"]
        assert best["n"] == 2 and best["of"] == "trials eligible for choice"
        assert words in tables(chapter_of(chapter, search))["effect-arms"].caption
        assert any(words in threat for threat in report["method"]["threats"])


def test_what_the_method_says_holds_of_every_search() -> None:
    said = " ".join(report_of("whole")["method"]["sentences"])
    assert "must be frozen before the first test score is read, which" in said
    assert "where one arm wins every pair, Newcombe's score interval" in said
