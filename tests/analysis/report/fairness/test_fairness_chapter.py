"""The chapter on fairness: counts by hand, domains and conditions by arm, chosen values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trained_search
from answered_search import blocks_of, evidence_of
from fake_search import Plan, write
from fake_space import space_of
from reported_search import assert_sound, chapter_of, column, lines, report_of, tables
from trained_search import PLANS, planned, trained

from analysis.inputs.loading import load
from analysis.report.fairness.chapter import chapter
from analysis.report.fairness.section import section
from analysis.report.parameters.chapter import chapter as parameters
from analysis.report.parameters.section import section as parameters_of
from analysis.report.presentation.blocks import Bullets, Cell
from analysis.report.verdict.arms import arm_sections
from analysis.validity.limits import limit_findings

LOG = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}
SPACE: dict[str, Any] = {
    "parameters": {
        "lr_head": LOG,
        "dropout": {"per_arm": {"a": {"type": "float", "low": 0.0, "high": 0.5}, "b": 0.1}},
        "unfreeze_depth": {"type": "int", "low": 0, "high": 4, "log": False, "step": 1},
        "augment_policy": {"type": "choice", "values": ["plain", "strong"]},
        "lr_backbone": {"type": "float", "low": 1e-5, "high": 1e-3, "log": True},
        "batch_size": 64,
    }
}


def _row(arm: str, **values: Any) -> dict[str, Any]:
    setting = {"lr_head": 1e-3, "dropout": 0.25, "unfreeze_depth": 2, "lr_backbone": 1e-4}
    return {"arm": arm, "scores": (0.5, 0.6), **setting, "augment_policy": "plain", **values}


@pytest.mark.parametrize("name", PLANS)
def test_sound_on_every_search(name: str) -> None:
    assert_sound(chapter, name)


def test_shares_by_hand() -> None:
    search = trained(
        [
            _row("a", cohort="baseline"),
            _row("a", state="pruned", scores=(0.3,)),
            _row("a", state="overfit", scores=(0.5,) * 6, replicate=1),
            _row("a", state="oom", scores=(), epochs=0),
            _row("b", cohort="random", replicate=1),
        ],
        arms=("a", "b"),
        space=SPACE,
    )
    shown = section(evidence_of(search))
    a, b = shown["arms"]
    assert (a["total"], b["total"]) == (4, 1)
    assert {state: n for state, n in a["states"].items() if n} == {
        "complete": 1,
        "pruned": 1,
        "overfit": 1,
        "oom": 1,
    }
    assert {name: n for name, n in a["cohorts"].items() if n} == {"tpe": 3, "baseline": 1}
    assert a["to_the_end"] == 2 and b["to_the_end"] == 1
    assert (a["epochs_run"], a["epochs_allowed"]) == (2 + 1 + 6, 40)
    # Ten seconds an epoch, half an accelerator and two CPUs.
    assert a["accelerator_hours"]["value"] == pytest.approx(9 * 5 / 3600)
    assert a["cpu_hours"]["value"] == pytest.approx(9 * 20 / 3600)
    studies = [(s["arm"], s["replicate"], s["total"]) for s in shown["studies"]]
    assert studies == [("a", 0, 3), ("a", 1, 1), ("b", 1, 1)]
    made = chapter_of(chapter, search)
    assert "The arms got different numbers of trials: a 4, b 1" in made.lead
    assert "failed or out of memory: a 1 (25 %), b 0 (0 %)" in made.lead
    assert column(tables(made)["fairness-studies"], "trials") == ["3", "1", "1"]


def test_trials_in_micro_batches_are_counted_where_the_records_know() -> None:
    whole = {"batch_size": 64, "micro_batch": 64}
    rows = [
        _row("a", **whole),
        _row("a", **{**whole, "micro_batch": 16}),
        _row("a", batch_size=64),  # of an earlier version
        _row("b", **whole),
    ]
    search = trained(rows, arms=("a", "b"), space=SPACE)
    shown = section(evidence_of(search))
    assert [arm["micro_batches"] for arm in shown["arms"]] == [1, 0]
    table = tables(chapter_of(chapter, search))["fairness-budgets"]
    assert lines(table)["trained in micro-batches"] == ["1", "0"]
    for known in (rows[3:], rows[2:3]):  # none, and unknown
        search = trained([*known, _row(known[0]["arm"])], arms=(known[0]["arm"],), space=SPACE)
        assert "trained in micro-batches" not in lines(
            tables(chapter_of(chapter, search))["fairness-budgets"]
        )
    assert section(evidence_of(search))["arms"][0]["micro_batches"] is None


def test_failures_with_reason_and_where() -> None:
    lost = {"state": "oom", "scores": (), "crop_size": 128, "unfreeze_depth": 4}
    search = trained(
        [
            _row("a"),
            _row("a", **lost),
            _row("a", **lost),
            _row("a", **{**lost, "crop_size": 64}),
            _row("a", state="failed", stop_reason=None),
        ],
        arms=("a",),
        space=SPACE,
    )
    table = tables(chapter_of(chapter, search))["fairness-failures"]
    assert column(table, "state") == ["failed", "oom"]
    assert column(table, "recorded reason") == ["\N{EN DASH}", "oom"]
    assert column(table, "trials") == ["1", "3"]
    assert column(table, "share of arm") == ["20 %", "60 %"]
    assert column(table, "most frequent at") == ["\N{EN DASH}", "crop 128, depth 4 (2)"]


def test_no_failures_no_table() -> None:
    assert "fairness-failures" not in tables(chapter_of(chapter, "processors"))


def test_domains_by_arm_and_conditional_ones_named() -> None:
    search = trained([_row("a"), _row("b")], arms=("a", "b"), space=SPACE)
    table = tables(chapter_of(chapter, search))["fairness-parameters"]
    assert lines(table) == {
        "lr_head": ["0.0001 to 0.01, log", "0.0001 to 0.01, log", "yes"],
        "dropout": ["0 to 0.5", "0.1 (fixed)", "no"],
        "unfreeze_depth": ["0 to 4, integer", "0 to 4, integer", "yes"],
        "augment_policy": ["plain, strong", "plain, strong", "yes"],
        "lr_backbone": ["1e-05 to 0.001, log", "1e-05 to 0.001, log", "yes"],
        "batch_size": ["64 (fixed)", "64 (fixed)", "yes"],
    }
    assert table.caption.endswith("search space: dropout.")
    assert "the domains of dropout differ between arms" in chapter_of(chapter, search).lead


def test_conditions_alike_stand_once_and_others_by_arm(tmp_path: Path) -> None:
    alike = tables(chapter_of(chapter, "whole"))["fairness-conditions"]
    assert [c.name for c in alike.columns] == ["condition", "all arms"]
    assert lines(alike)["confirmation seeds per study"] == ["5"]
    recipes = write(tmp_path, Plan(trials=3, weights={"resnet152": "imagenet-v2"}))
    made = chapter_of(chapter, load(recipes))
    other = lines(tables(made)["fairness-conditions"])
    assert other["weights recipe"] == ["imagenet-v1", "imagenet-v2", "no"]
    assert other["split seed"][-1] == "yes"
    assert "but the arms differ in: weights recipe" in made.lead


def test_confirmation_seeds_are_compared_study_by_study() -> None:
    runs = [
        {"arm": arm, "replicate": 0, "seed": seed, "scores": (0.6,), "test_macro_f1": 0.6}
        for arm, seeds in (("a", (1, 2)), ("b", (1, 3)))
        for seed in seeds
    ]
    search = trained([_row("a"), _row("b")], arms=("a", "b"), space=SPACE, confirmations=runs)
    row = section(evidence_of(search))["conditions"][-1]
    assert row["values"] == {"a": "2", "b": "2"} and row["same"] is False


def test_confirmation_runs_without_a_score_do_not_count() -> None:
    runs: list[dict[str, Any]] = [
        {"arm": arm, "seed": seed, "scores": (0.6,), "test_macro_f1": 0.6 + seed / 100}
        for arm in ("a", "b")
        for seed in range(5)
    ]
    for failed in runs[5:7]:
        failed |= {"state": "failed", "test_macro_f1": float("nan")}
    search = trained([_row("a"), _row("b")], arms=("a", "b"), space=SPACE, confirmations=runs)
    row = section(evidence_of(search))["conditions"][-1]
    assert row["values"] == {"a": "5", "b": "3 of 5"} and row["same"] is False
    assert [arm["confirmation_runs"] for arm in arm_sections(evidence_of(search))] == [5, 3]
    none = [run | {"test_macro_f1": float("nan")} for run in runs[:5]] + runs[5:]
    search = trained([_row("a"), _row("b")], arms=("a", "b"), space=SPACE, confirmations=none)
    assert section(evidence_of(search))["conditions"][-1]["values"]["a"] == "0 of 5"


def test_merged_searches_of_different_spaces_show_every_parameter(tmp_path: Path) -> None:
    # ASHA stops late, so that there are enough final values for importance.
    plan = Plan(skill={"resnet152": 0.6}, trials=30, grace=15, confirmed=False, floors=False)
    space = space_of(plan).as_dict()
    dropout = space["parameters"].pop("dropout")
    assert "low" in dropout
    parts = [
        write(tmp_path / "a", plan, space=space),
        write(tmp_path / "b", plan, seeds={"search": 9, "split": 0}),
    ]
    merged = load(parts)
    merged.trials.loc[merged.trials["replicate"] == 0, "dropout"] = 0.1
    cells = _cells(merged)
    assert [cell.main.text == "\N{EN DASH}" for cell in cells["dropout"]] == [True, False]
    for search, several in ((merged, True), (load(parts[1]), False)):
        found, made = trained_search.reported(search, "parameters", parameters_of, parameters)
        assert found["importance"][0]["one_space"] is not several
        words = " ".join(i for b in blocks_of(made) if isinstance(b, Bullets) for i in b.items)
        assert "Only trials with a final value" in words
        assert ("different search spaces for resnet152" in words) == several


def test_merged_searches_show_what_each_arm_was_searched_over(tmp_path: Path) -> None:
    narrow = Plan(skill={"resnet152": 0.6}, trials=3)
    space = space_of(narrow).as_dict()
    space["parameters"]["dropout"]["high"] = 0.25
    parts = [
        write(tmp_path / "a", Plan(skill={"densenet161": 0.6}, trials=3)),
        write(tmp_path / "b", narrow, space=space, seeds={"search": 9, "split": 5, "views": 3}),
    ]
    made = tables(chapter_of(chapter, load(parts)))
    assert lines(made["fairness-parameters"])["dropout"] == ["0 to 0.5", "0 to 0.25", "no"]
    assert lines(made["fairness-conditions"])["split seed"] == ["2", "5", "no"]


# -- chosen configurations ----------------------------------------------------------------------


def _cells(search: Any, number: int = 0) -> dict[str, tuple[Cell, ...]]:
    table = tables(chapter_of(chapter, search))[f"fairness-choices-{number}"]
    return {row.cells[0].main.text: row.cells[1:] for row in table.rows}


def test_chosen_values_within_their_domains() -> None:
    search = trained(
        [
            _row("a", lr_head=1e-3, dropout=0.0),
            _row("a", scores=(0.1,), lr_head=1e-2),
            _row("a", replicate=1, lr_head=1e-2, unfreeze_depth=0),
        ],
        arms=("a",),
        space=SPACE,
    )
    cells = _cells(search)
    assert [c.small for c in cells["lr_head"]] == ["at 50 % of the domain", "at the upper limit"]
    assert [c.tone for c in cells["lr_head"]] == ["", "warn"]
    assert [c.small for c in cells["dropout"]] == ["at the lower end", "at 50 % of the domain"]
    assert [c.tone for c in cells["dropout"]] == ["", ""]
    assert [c.small for c in cells["unfreeze_depth"]] == [
        "at 50 % of the domain",
        "at the lower end",
    ]
    assert [c.small for c in cells["lr_backbone"]] == ["at 50 % of the domain", "no effect"]
    assert [c.main.text for c in cells["augment_policy"]] == ["plain", "plain"]
    assert [c.main.text for c in cells["trial"]] == ["0", "2"]
    assert "batch_size" not in cells
    # Eight numbers, of which one has no effect.
    made = chapter_of(chapter, search)
    words = next(b.words for b in made.blocks if hasattr(b, "words") and "chosen number" in b.words)
    assert words.startswith("Of 7 chosen numbers, 1 is at a limit of the search space")
    assert "(lr_head (upper limit)) and 2 at a natural limit" in words


@pytest.mark.parametrize("name", ["whole", "studies", "three"])
def test_marks_agree_with_the_validity_check(name: str) -> None:
    search = planned(name)
    for arm, shown in zip(search.arms, report_of(name)["fairness"]["choices"], strict=True):
        marked = [
            (p["parameter"], study["replicate"], p["end"], not p["natural"])
            for study in shown["studies"]
            for p in study["parameters"]
            if p["end"] and not p["idle"]
        ]
        found = limit_findings(search, arm)
        assert marked == [(f.parameter, f.replicate, f.end, f.continuous) for f in found]


def test_before_a_choice_the_best_so_far_is_shown() -> None:
    made = chapter_of(chapter, "unconfirmed")
    words = [b.words for b in made.blocks if hasattr(b, "words")]
    assert "Best configurations so far" in words


def test_lead_of_a_single_arm_and_of_none_ended() -> None:
    assert "resnet50 got 12 trials in 1 study, of which" in chapter_of(chapter, "single").lead
    assert chapter_of(chapter, "nothing").lead.startswith("No trial has ended yet")
    assert "All 6 arms got 3 trials" in chapter_of(chapter, "six").lead
