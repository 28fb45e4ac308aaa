"""The checklist on samplers: warm starts, and what merged searches have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_search import Plan, write
from trained_search import trained

from analysis.inputs.loading import load
from analysis.report import build
from analysis.settings import Settings
from analysis.validity.check import Case, Check
from analysis.validity.fairness import spaces, warm_start

WARM = {"folders": ["/results/earlier"], "trials_per_arm": {"densenet161": 8, "resnet152": 8}}


def case(*manifests: dict[str, Any], replicates: int = 1) -> Case:
    search = trained([{"scores": [0.5, 0.6], "replicate": k} for k in range(replicates)])
    whole = tuple({**search.manifest, **manifest} for manifest in manifests)
    return Case(
        search=replace(search, manifest=whole[0], manifests=whole),
        arms=("densenet161", "resnet152"),
        scores={},
        settings=Settings(),
    )


@pytest.mark.parametrize(
    ("manifest", "replicates", "status"),
    [({}, 2, "pass"), ({"warm_start": WARM}, 1, "pass"), ({"warm_start": WARM}, 2, "warn")],
)
def test_replicates_that_learn_from_the_same_trials_are_a_warning(
    manifest: dict[str, Any], replicates: int, status: str
) -> None:
    check = warm_start(case(manifest, replicates=replicates))
    assert check.status == status
    assert ("densenet161 8" in check.detail) == bool(manifest)
    assert ("intervals do not cover that" in check.detail) == (status == "warn")


def test_it_is_in_the_report(tmp_path: Path) -> None:
    report = build(load(write(tmp_path, Plan(replicates=2, trials=4), warm_start=WARM)))
    (check,) = [check for check in report["validity"] if check["id"] == "warm_start"]
    assert check["status"] == "warn"


def merged(*spaces_: dict[str, Any]) -> Check:
    return spaces(case(*({"space": space} for space in spaces_)))


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ({"sampler": "tpe"}, {"sampler": "random"}, "sampler"),
        ({}, {"sampler": "gp"}, "sampler"),
        ({}, {"sampler": "tpe"}, None),
        ({"sampler": "auto"}, {"sampler": "tpe"}, None),
        ({"stop_when": "no_gain"}, {}, "stop_when"),
        ({"stop_when": None}, {}, None),
    ],
)
def test_merged_searches_have_one_sampler_and_one_end(
    one: dict[str, Any], other: dict[str, Any], differs: str | None
) -> None:
    check = merged(one, other)
    assert check.status == ("warn" if differs else "pass")
    assert differs is None or check.detail.endswith(differs)


@pytest.mark.parametrize(("trials", "sampler"), [(40, "tpe"), (42, "gp"), (120, "gp")])
def test_auto_comes_to_what_the_number_of_trials_says(trials: int, sampler: str) -> None:
    space = {
        "compare": {"arms": {"a": "densenet161", "b": "resnet152"}, "replicates": 1},
        "budget": {"trials": trials},
    }
    assert merged({**space, "sampler": "auto"}, {**space, "sampler": sampler}).status == "pass"
    other = {"tpe": "gp", "gp": "tpe"}[sampler]
    assert merged({**space, "sampler": "auto"}, {**space, "sampler": other}).status == "warn"
