"""Values at a limit: the rule for every kind of domain, and what is found in a search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trained_search import trained

from analysis.validity.limits import at_limit, backed, domains, limit_findings, natural, position

LINEAR = {"type": "float", "low": 0.1, "high": 0.6, "log": False}
LOG = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}
WHOLE = {"type": "int", "low": 0, "high": 4, "log": False, "step": 1}
STEPS = {"type": "int", "low": 32, "high": 224, "log": False, "step": 96}
SIZES = {"type": "choice", "values": [128, 48, 96, 64]}
NAMES = {"type": "choice", "values": ["plain", "moderate", "strong"]}


@pytest.mark.parametrize(
    ("domain", "value", "end"),
    [
        (LINEAR, 0.1, "low"),
        (LINEAR, 0.11, "low"),  # 2 % exactly
        (LINEAR, 0.1101, None),
        (LINEAR, 0.35, None),
        (LINEAR, 0.59, "high"),
        (LINEAR, 0.589, None),
        (LINEAR, 0.7, "high"),  # a baseline may lie beyond
        (LOG, 1e-4 * 100**0.02, "low"),
        (LOG, 1e-4 * 100**0.021, None),
        (LOG, 1e-3, None),
        (LOG, 1e-2 / 100**0.02, "high"),
        (LOG, 0.0, "low"),
        (WHOLE, 0, "low"),
        (WHOLE, 1, None),
        (WHOLE, np.int64(4), "high"),
        (WHOLE, 4.0, "high"),
        (STEPS, 128, None),
        (STEPS, 224, "high"),
        (SIZES, 48, "low"),
        (SIZES, 64, None),
        (SIZES, 128, "high"),
        (SIZES, 100, None),
        (NAMES, "plain", None),
        (LINEAR, None, None),
        (LINEAR, float("nan"), None),
        (WHOLE, True, None),
    ],
)
def test_limit(domain: dict[str, Any], value: object, end: str | None) -> None:
    assert at_limit(domain, value) == end


def test_two_values_have_no_end_to_speak_of() -> None:
    assert at_limit({"type": "int", "low": 0, "high": 1, "step": 1}, 1) is None
    assert at_limit({"type": "choice", "values": [32, 64]}, 64) is None


def test_position_is_on_the_scale_of_sampling() -> None:
    assert position(LINEAR, 0.35) == pytest.approx(0.5)
    assert position(LOG, 1e-3) == pytest.approx(0.5)
    assert [position(SIZES, size) for size in (48, 64, 96, 128)] == pytest.approx(
        [0, 1 / 3, 2 / 3, 1]
    )
    assert position(LINEAR, 0.0) == pytest.approx(-0.2)
    assert position(NAMES, "plain") is None


def test_natural_ends_are_those_with_nothing_beyond() -> None:
    zero = {"type": "float", "low": 0, "high": 0.5}
    assert natural(zero, "low") and not natural(zero, "high")
    assert not natural(LOG, "low") and not natural(LINEAR, "low")
    assert natural(WHOLE, "low") and natural(SIZES, "high")


SPACE: dict[str, Any] = {
    "parameters": {
        "lr_head": LOG,
        "lr_backbone": {"per_arm": {"a": {**LOG, "low": 1e-5, "high": 1e-3}, "b": 1e-4}},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "unfreeze_depth": WHOLE,
        "augment_policy": NAMES,
        "batch_size": 64,
    }
}


def _row(arm: str, **values: Any) -> dict[str, Any]:
    inside = {"lr_head": 1e-3, "lr_backbone": 1e-4, "dropout": 0.2, "unfreeze_depth": 2}
    return {"arm": arm, "scores": (0.5, 0.6), **inside, "augment_policy": "plain", **values}


def test_findings_name_parameter_study_end_and_kind() -> None:
    search = trained(
        [
            _row("a", lr_head=1e-2, dropout=0.0, replicate=0),
            _row("a", scores=(0.4,), lr_head=1e-4),  # not chosen
            _row("a", lr_backbone=1e-3, unfreeze_depth=4, replicate=1),
        ],
        arms=("a", "b"),
        space=SPACE,
    )
    found = [(f.parameter, f.replicate, f.end, f.continuous) for f in limit_findings(search, "a")]
    assert found == [
        ("lr_head", 0, "high", True),
        ("dropout", 0, "low", False),
        ("lr_backbone", 1, "high", True),
        ("unfreeze_depth", 1, "high", False),
    ]
    assert limit_findings(search, "b") == []


def test_what_has_no_effect_is_not_found() -> None:
    head_alone = _row("a", lr_backbone=1e-3, unfreeze_depth=0)
    search = trained([head_alone], arms=("a",), space=SPACE)
    assert [f.parameter for f in limit_findings(search, "a")] == ["unfreeze_depth"]


@pytest.mark.parametrize("depth", [0, 1])
def test_other_trials_speak_for_a_limit_where_the_parameter_acts(depth: int) -> None:
    """Two good trials with a rate in the middle, and two at the limit that are not as good."""
    rows = [_row("a", scores=(0.9,), lr_backbone=1e-3)]
    rows += [_row("a", scores=(0.8,), lr_backbone=1e-4, unfreeze_depth=depth)] * 2
    rows += [_row("a", scores=(0.7,), lr_backbone=9.9e-4)] * 2
    search = trained(rows, arms=("a",), space=SPACE)
    (found,) = limit_findings(search, "a")
    assert found.parameter == "lr_backbone"
    assert backed(search, "a", found) == (depth == 0)


def test_what_an_arm_fixes_is_not_sampled_there() -> None:
    search = trained([_row("a"), _row("b")], arms=("a", "b"), space=SPACE)
    assert "lr_backbone" in domains(search, "a") and "lr_backbone" not in domains(search, "b")
    assert domains(search, "a")["lr_backbone"]["high"] == 1e-3


def test_of_merged_searches_the_one_that_a_study_came_from_decides() -> None:
    search = trained([_row("a", lr_head=1e-2)], arms=("a",), space=SPACE)
    wide = {"parameters": {"lr_head": {**LOG, "high": 1.0}}, "compare": {"replicates": 2}}
    other = {**search.manifest, "space": wide}
    merged = replace(search, manifests=(search.manifest, other))
    assert [domains(merged, "a", study)["lr_head"]["high"] for study in range(3)] == [1e-2, 1, 1]
