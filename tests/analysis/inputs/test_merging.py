"""Several folders as one search, and two folders side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_once import drawn_once
from fake_search import CLASSES, Plan, write
from judging import judged

import analysis
from analysis.inputs.loading import load
from analysis.outputs.contrast import contrast, contrast_text
from analysis.report import build
from fer_tune.errors import ResultsError


def folders(tmp_path: Path, *plans: Plan, **manifest: Any) -> list[Path]:
    """A folder per plan, each with a search seed of its own."""
    return [
        write(tmp_path / f"part{k}", plan, **{"seeds": {"search": k, "split": 0}, **manifest})
        for k, plan in enumerate(plans)
    ]


def test_studies_become_replicates_beside_each_other(tmp_path: Path) -> None:
    parts = folders(tmp_path, *(Plan(seed=k) for k in range(5)))
    singles, merged = [load(part) for part in parts], load(parts)
    assert merged.replicates == 5 and merged.unit == "study"
    for name in ("trials", "confirmations", "epochs", "predictions", "confusion"):
        assert len(getattr(merged, name)) == sum(len(getattr(s, name)) for s in singles)
    assert merged.trials["trial"].is_unique
    assert not set(merged.trials["trial"]) & set(merged.confirmations["trial"])
    assert set(merged.trials["replicate"]) == set(range(5))
    states = merged.trials.set_index("trial")["state"]
    for arm in merged.arms:
        chosen = merged.chosen[arm]
        assert len(set(chosen)) == 5 and set(states[chosen]) <= {"complete", "overfit"}
    report = build(merged)
    assert report["pairs"][0]["scope"] == "families"
    assert report["arms"][0]["test_macro_f1"]["n"] == 5


def test_latencies_are_medians_over_the_runs_of_all_folders(tmp_path: Path) -> None:
    parts = folders(tmp_path, Plan(), Plan(seed=8, seeds=4))
    singles, merged = [load(part) for part in parts], load(parts)
    for arm in merged.arms:
        runs = [run for single in singles for run in single.latency[arm]["runs"]]
        reported = merged.latency[arm]
        assert reported["runs"] == runs and len(runs) == 9
        assert reported["p50_ms"] == pytest.approx(np.median([run["p50_ms"] for run in runs]))
    cost = build(merged)["cost"]["arms"][0]["latency"]["peak_memory_mib"]
    assert cost["n"] == 9


def test_arms_searched_apart_are_compared(tmp_path: Path) -> None:
    dense, res = Plan(skill={"densenet161": 0.66}), Plan(skill={"resnet152": 0.6})
    report = judged(load(folders(tmp_path, dense, res)))
    assert report["search"]["arms"] == ["densenet161", "resnet152"]
    assert report["verdict"]["kind"] == "better"
    assert [check["detail"] for check in report["validity"] if check["id"] == "choice"] == [
        "the first test score was read after the choice was frozen"
    ]


def test_copies_of_one_search_are_not_independent(tmp_path: Path) -> None:
    parts = folders(tmp_path, *[Plan()] * 2, seeds={"search": 3, "split": 0})
    verdict = judged(load(parts))["verdict"]
    assert verdict["kind"] == "not comparable"
    assert "share a search seed, so they are not independent" in verdict["sentence"]
    assert "densenet161, seed 3" in verdict["sentence"]


@pytest.mark.parametrize(
    ("plan", "manifest", "words"),
    [
        (Plan(), {"dataset": {"fingerprint": "ab" * 32}}, "different dataset fingerprints"),
        (Plan(), {"first_test_read_at": 1.0}, "before the choice was frozen"),
        (Plan(), {"first_test_read_at": None}, "does not record when"),
        (Plan(weights=dict.fromkeys(("densenet161", "resnet152"), "none")), {}, "between recipes"),
        (Plan(trials={"densenet161": 12, "resnet152": 8}), {}, "unequal budgets"),
    ],
)
def test_one_bad_part_spoils_the_whole(
    tmp_path: Path, plan: Plan, manifest: dict[str, Any], words: str
) -> None:
    good = folders(tmp_path, Plan())[0]
    bad = write(tmp_path / "bad", plan, **{"seeds": {"search": 9, "split": 0}, **manifest})
    verdict = judged(load([good, bad]))["verdict"]
    assert verdict["kind"] == "not comparable"
    assert words in verdict["sentence"]


def test_the_same_folder_twice_is_refused(tmp_path: Path) -> None:
    part = folders(tmp_path, Plan())[0]
    with pytest.raises(ResultsError, match="given twice"):
        load([part, part.parent / "." / part.name])


def test_other_classes_are_refused(tmp_path: Path) -> None:
    one = folders(tmp_path, Plan())[0]
    two = write(tmp_path / "two", Plan(), classes=[*CLASSES[:-1], "surprised"])
    with pytest.raises(ResultsError, match="their classes differ"):
        load([one, two])


def test_an_arm_means_the_same_everywhere(tmp_path: Path) -> None:
    one = folders(tmp_path, Plan(values={"a": "resnet18"}, skill={"a": 0.6, "resnet34": 0.6}))[0]
    two = write(tmp_path / "two", Plan(values={"a": "resnet50"}, skill={"a": 0.6, "resnet34": 0.6}))
    with pytest.raises(ResultsError, match="arm a means 'resnet18' in another folder"):
        load([one, two])
    other = Plan(compare="optimizer", skill={"adamw": 0.65, "sgd": 0.63})
    three = write(tmp_path / "three", other)
    with pytest.raises(ResultsError, match="it compares another parameter"):
        load([one, three])


def test_luck_alone_is_not_called_a_change(tmp_path: Path) -> None:
    first, second = (load(part) for part in folders(tmp_path, Plan(), Plan(seed=8)))
    text = " ".join(contrast_text(contrast(first, second)).split())
    assert "compares the two configurations" in text
    several = load(write(tmp_path / "several", Plan(replicates=2, seeds=2)))
    found = contrast(first, several)
    assert found["unit"] == "different"
    assert all(arm["change"] is None for arm in found["arms"])


def test_a_merged_report_stands_beside_the_firsts_own(tmp_path: Path) -> None:
    parts = folders(tmp_path, *(Plan(trials=3, seeds=2, seed=k) for k in (7, 8)))
    with drawn_once():
        own = analysis.write_report(parts[0])
        both = analysis.write_report(parts)
    assert both.html == parts[0] / "report-merged" / "report.html"
    assert own.html.read_text("utf-8") != both.html.read_text("utf-8")


def test_contrast_tells_what_differs_and_what_it_changed(tmp_path: Path) -> None:
    plans = Plan(), Plan(skill={"densenet161": 0.66, "resnet152": 0.5}, seed=8)
    first, second = (load(part) for part in folders(tmp_path, *plans))
    found = contrast(first, second)
    means = [s.confirmations.groupby("arm")["test_macro_f1"].mean() for s in (first, second)]
    for arm in found["arms"]:
        expected = means[1][arm["arm"]] - means[0][arm["arm"]]
        assert arm["change"]["value"] == pytest.approx(expected)
        assert arm["change"]["low"] < expected < arm["change"]["high"]
    text = contrast_text(found)
    assert "Search space, versions and hardware are identical." in text
    assert [line for line in text.splitlines() if line.startswith("resnet152")]


def test_contrast_subtracts_nothing_over_different_data(tmp_path: Path) -> None:
    first, second = folders(tmp_path, Plan(), Plan(seed=8))
    other = write(second, Plan(seed=8), dataset={"fingerprint": "ab" * 32})
    found = contrast(load(first), load(other))
    assert all(arm["change"] is None for arm in found["arms"])
    assert {d["key"] for d in found["differences"]} == {"dataset"}
    assert "datasets differ" in contrast_text(found)
