"""The method follows the training that a search had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from answered_search import evidence_of
from trained_search import trained

from analysis.inputs.search import Search
from analysis.report.method.section import section
from analysis.settings import Settings
from analysis.validity.check import Case
from analysis.validity.fairness import spaces

BOTH = {"class_weights": "balanced", "label_smoothing": 0.1}


def search(*versions: int | None, space: dict[str, Any] | None = None, **config: Any) -> Search:
    """A search, merged from folders of ``versions``; None for a manifest without the key."""
    made = trained([{"scores": [0.5], **config}], space=space)
    manifests = tuple(
        dict(made.manifest) if version is None else {**made.manifest, "training_version": version}
        for version in versions
    )
    return replace(made, manifest=manifests[0], manifests=manifests)


def words(one: Search, key: str) -> str:
    return " ".join(section(evidence_of(one))[key])


@pytest.mark.parametrize(
    ("versions", "metric", "ends"),
    [
        ((None,), "macro_f1", "The overfit stopper ends a trial with an onset."),
        ((1,), "accuracy", "The overfit stopper ends a trial with an onset."),
        ((2,), "macro_f1", "unless one of these last epochs has its best macro-F1 so far."),
        ((2,), "accuracy", "unless one of these last epochs has its best accuracy so far."),
    ],
)
def test_when_the_stopper_ends_a_trial(versions: tuple[int | None], metric: str, ends: str) -> None:
    assert words(search(*versions, space={"metric": metric}), "sentences").endswith(ends)


def test_a_stopper_that_is_off_is_not_mentioned() -> None:
    off = {"stopper": {"enabled": False, "patience": 3}}
    assert "stopper" not in words(search(2, space=off), "sentences")


@pytest.mark.parametrize(
    ("versions", "config", "is_stated"),
    [
        ((None,), BOTH, True),
        ((1, 2), BOTH, True),
        ((2,), BOTH, False),
        ((1,), {**BOTH, "label_smoothing": 0.0}, False),
        ((1,), {**BOTH, "class_weights": "none"}, False),
        ((1,), {}, False),
    ],
)
def test_a_loss_that_favours_rare_classes_is_a_threat(
    versions: tuple[int | None, ...], config: dict[str, Any], is_stated: bool
) -> None:
    threat = "favours rare classes"
    assert (threat in words(search(*versions, **config), "threats")) is is_stated


@pytest.mark.parametrize(
    ("versions", "status"), [((1, 2), "warn"), ((None, 2), "warn"), ((None, 1), "pass")]
)
def test_merged_searches_of_different_training_are_reported(
    versions: tuple[int | None, ...], status: str
) -> None:
    case = Case(search=search(*versions), arms=("densenet161",), scores={}, settings=Settings())
    check = spaces(case)
    assert check.status == status and ("training version" in check.detail) is (status == "warn")
