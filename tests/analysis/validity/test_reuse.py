"""The checklist on earlier readings of the test split, added seeds and near copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_search import Plan, write
from judging import judged

from analysis.inputs.loading import load
from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.topics import section_of
from analysis.settings import Settings

READ = {"fingerprint": "a" * 64, "id": "1" * 32, "searches": [], "evaluations": 0, "raised": []}


def search_of(folder: Path, **manifest: Any) -> Search:
    return load(write(folder, Plan(), **manifest))


def checks(search: Search) -> dict[str, dict[str, Any]]:
    return {check["id"]: check for check in judged(search)["validity"]}


def near_copies_count(search: Search) -> Any:
    return section_of("data", Evidence(search=search, settings=Settings()))["near_copies_count"]


def test_a_first_reading_is_no_warning(tmp_path: Path) -> None:
    found = checks(search_of(tmp_path, test_readings=READ))
    assert found["reuse"]["status"] == found["seeds"]["status"] == "pass"
    assert "first that read it" in found["reuse"]["detail"]


def test_a_folder_of_an_earlier_version_is_no_warning(tmp_path: Path) -> None:
    found = checks(search_of(tmp_path, test_readings=None))
    assert found["reuse"]["status"] == "pass" and "not recorded" in found["reuse"]["detail"]
    assert "same pixels" in found["leaks"]["detail"]


def test_later_searches_and_evaluations_are_warnings_with_their_effect(tmp_path: Path) -> None:
    readings = {**READ, "searches": ["2" * 32, "3" * 32], "evaluations": 1}
    check = checks(search_of(tmp_path, test_readings=readings))["reuse"]
    assert check["status"] == "warn"
    assert "search number 3" in check["detail"] and "13 % of cases" in check["detail"]
    assert "1 model had been evaluated" in check["detail"]


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [
        ([{"before": 5, "after": 10}], "warn", "from 5 to 10"),
        ([{"before": 5, "after": 10}, {"before": 10, "after": 20}], "warn", "5 to 10 to 20"),
        ([{"before": 2, "after": 5}], "pass", "none"),  # two seeds of one study give no verdict
    ],
)
def test_seeds_raised_after_a_verdict_are_a_warning(
    raised: list[dict[str, int]], status: str, words: str, tmp_path: Path
) -> None:
    check = checks(search_of(tmp_path, test_readings={**READ, "raised": raised}))["seeds"]
    assert check["status"] == status and words in check["detail"]
    assert ("instead of 5 %" in check["detail"]) == (status == "warn")


def test_the_words_say_what_was_searched_for(tmp_path: Path) -> None:
    search = search_of(tmp_path, audit_version=2)
    assert "near copies are one photograph mirrored" in checks(search)["leaks"]["detail"]
    assert near_copies_count(search) is True


def test_near_copies_that_were_not_searched_for_do_not_count(tmp_path: Path) -> None:
    manifest = load(write(tmp_path / "plain", Plan())).manifests[0]
    audit = {**(manifest["dataset"].get("audit") or {}), "near_groups": None}
    search = search_of(tmp_path, audit_version=2, dataset={**manifest["dataset"], "audit": audit})
    detail = checks(search)["leaks"]["detail"]
    assert "only copies with the same pixels were searched for" in detail
    assert near_copies_count(search) is False


@pytest.mark.parametrize(("before", "after"), [(60, 80), (60, 200), (51, 500)])
def test_the_effect_of_many_raised_seeds_is_simulated_by_their_ratio(
    before: int, after: int, tmp_path: Path
) -> None:
    raised = [{"before": before, "after": after}]
    check = checks(search_of(tmp_path, test_readings={**READ, "raised": raised}))["seeds"]
    assert check["status"] == "warn" and f"from {before} to {after}" in check["detail"]
    assert "in 5 % of searches" not in check["detail"]


def exact_only(audit: dict[str, int], folder: Path, plan: Plan | None = None) -> dict[str, Any]:
    """The check of a search that removed exact copies alone."""
    manifest = load(write(folder / "plain", plan or Plan())).manifests[0]
    space = {**manifest["space"], "data": {**manifest["space"].get("data", {}), "leaks": "exact"}}
    dataset = {
        **manifest["dataset"],
        "audit": {**(manifest["dataset"].get("audit") or {}), **audit},
    }
    search = load(
        write(folder / "exact", plan or Plan(), audit_version=2, space=space, dataset=dataset)
    )
    return checks(search)["leaks"]


def test_near_copies_that_exact_copies_leave_are_counted_once(tmp_path: Path) -> None:
    counts = {"near_in_training": 0, "near_in_validation": 0, "near_left_by_exact": 3}
    check = exact_only(counts, tmp_path / "a")
    assert check["status"] == "warn" and "near copies of 3 test pictures" in check["detail"]
    assert "removed from training; near copies of" in check["detail"]
    counts = {"near_in_training": 2, "near_in_validation": 2, "near_left_by_exact": 0}
    check = exact_only(counts, tmp_path / "b")
    assert check["status"] == "pass" and "near copies of" not in check["detail"]


def test_an_audit_that_did_not_count_them_apart_still_warns(tmp_path: Path) -> None:
    counts = {"near_in_training": 2, "near_in_validation": 1, "near_left_by_exact": None}
    check = exact_only(counts, tmp_path)
    assert check["status"] == "warn" and "near copies of 3 test pictures" in check["detail"]


def test_near_copies_do_not_hide_that_nothing_is_confirmed(tmp_path: Path) -> None:
    check = exact_only({"near_left_by_exact": 3}, tmp_path, Plan(confirmed=False))
    assert check["status"] == "warn"
    assert check["detail"].startswith("no configuration has been confirmed yet; near copies of 3")
