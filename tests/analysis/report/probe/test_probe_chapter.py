"""The chapter on the probe: a description beside the confirmed scores, and nothing more."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from answered_search import blocks_of
from fake_search import Plan, write
from trained_search import reported

import analysis
from analysis.inputs.search import Search
from analysis.report import build
from analysis.report.presentation.blocks import Chapter, Table, Text
from analysis.report.probe.chapter import chapter
from analysis.report.probe.section import section
from analysis.report.quantities import Json


@cache
def probed() -> Search:
    with TemporaryDirectory() as folder:
        return analysis.load(write(Path(folder), Plan(probe=True)))


def _both(search: Search) -> tuple[Json, Chapter]:
    return reported(search, "probe", section, chapter)


def _with(**changes: Any) -> Search:
    search = probed()
    return replace(search, probe={**copy.deepcopy(dict(search.probe or {})), **changes})


def _words(made: Chapter) -> str:
    return " ".join(block.words for block in blocks_of(made) if isinstance(block, Text))


def test_each_arm_and_crop_is_a_row_beside_the_confirmed_score() -> None:
    found, made = _both(probed())
    assert [(case["arm"], case["crop_size"]) for case in found["cases"]] == [
        ("densenet161", 48), ("densenet161", 96), ("resnet152", 48), ("resnet152", 96),
    ]  # fmt: skip
    best = found["cases"][1]["macro_f1"]
    assert best["value"] == pytest.approx(0.66 - 0.1 + 96 / 2400)
    assert (best["n"], best["of"]) == (850, "groups of training pictures")
    (table,) = [block for block in blocks_of(made) if isinstance(block, Table)]
    heads = [column.name for column in table.columns]
    assert heads[3:] == ["macro-F1", "accuracy", "loss", "confirmed test macro-F1"]
    confirmed = table.rows[0].cells[-1].main
    assert confirmed.path == "arms.0.test_macro_f1.value"
    assert table.rows[1].cells[3].main.path == "probe.cases.1.macro_f1.value"
    assert made.lead.endswith("0.600 for densenet161 (96 px), 0.560 for resnet152 (96 px).")
    assert "no check and does not affect the verdict" in _words(made)


def test_the_metric_of_the_search_comes_first() -> None:
    (table,) = [b for b in blocks_of(_both(_with(metric="loss"))[1]) if isinstance(b, Table)]
    assert [column.name for column in table.columns][3:6] == ["loss", "macro-F1", "accuracy"]
    assert "by loss" in table.caption


def test_verdict_and_checks_are_those_without_it() -> None:
    without, beside = build(replace(probed(), probe=None)), build(probed())
    assert without["probe"]["status"] == "none" and beside["probe"]["status"] == "measured"
    assert {k: v for k, v in without.items() if k != "probe"} == {
        k: v for k, v in beside.items() if k != "probe"
    }


def test_without_one_the_lead_names_the_command() -> None:
    found, made = _both(replace(probed(), probe=None))
    assert found == {"status": "none", "about": None, "cases": []}
    assert "fer-tune probe --results" in made.lead and not made.blocks


def test_one_of_another_dataset_is_left_out() -> None:
    found, made = _both(_with(fingerprint="f" * 64))
    assert found["cases"] == [] and "another dataset" in made.lead and not made.blocks


def test_other_weights_are_named_and_other_arms_left_out() -> None:
    rows = [{**row, "arm": "resnet50"} if row["arm"] == "resnet152" else row
            for row in (probed().probe or {})["rows"]]  # fmt: skip
    found, made = _both(_with(weights="imagenet-v2", rows=rows))
    assert {case["arm"] for case in found["cases"]} == {"densenet161"}
    assert "imagenet-v2, are not those of the search" in _words(made)


def test_one_without_an_arm_of_the_search_is_not_called_unmeasured() -> None:
    rows = [{**row, "arm": "resnet50"} for row in (probed().probe or {})["rows"]]
    found, made = _both(_with(rows=rows))
    assert found["status"] == "measured" and not made.blocks
    assert "no arm of this search" in made.lead and "Not measured" not in made.lead


def test_the_first_of_merged_folders_counts(tmp_path: Path) -> None:
    parts = [write(tmp_path / str(k), Plan(seed=k, trials=3, probe=k == 1)) for k in range(2)]
    assert build(analysis.load(parts))["probe"]["status"] == "measured"
