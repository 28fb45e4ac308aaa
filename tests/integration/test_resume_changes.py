"""A search that is resumed after something changed: refused where it must be, or extended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fer_tune.data import import_source
from fer_tune.records import Results
from fer_tune.tuning.log.events import EVENTS_FILE
from fer_tune.tuning.studies.confirmation import choose
from tests.command_line import Outcome
from tests.integration.bench import Bench
from tests.integration.here import refused_here

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.kills, pytest.mark.timeout(1200)]

SPACE = """
name: recorded
purpose: Recorded curves.
compare: {arms: [densenet121, resnet18]}
parameters:
  unfreeze_depth: 1
  crop_size: 32
  lr_head: {type: float, low: 1e-4, high: 1e-2, log: true}
  batch_size: 16
cohorts:
  baseline: [{unfreeze_depth: 1, crop_size: 32, lr_head: 1e-3, batch_size: 16}]
budget: {trials: 4, max_epochs: 4, wall_time: 1h}
scheduler: {kind: asha, grace_epochs: 2, reduction_factor: 2}
stopper: {patience: 1}
resources: {cpu: 1, max_concurrent: 1}
weights: none
precision: float32
confirm: {seeds: 2}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("changed"), SPACE)


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> Results:
    return bench.undisturbed()


# -- refusals -----------------------------------------------------------------------------------


@pytest.fixture
def copy(undisturbed: Results, tmp_path: Path) -> Results:
    """The undisturbed search, as if it had been killed before it ended."""
    shutil.copytree(undisturbed.root, tmp_path / "r", ignore=shutil.ignore_patterns("ray"))
    results = Results(tmp_path / "r")
    results.update_manifest(state="running")
    return results


def refused(reported: Outcome, *parts: str) -> None:
    assert reported.code == 2 and reported.err.startswith("fer-tune: "), reported
    assert len(reported.err.strip().splitlines()) == 1 and "Traceback" not in reported.err
    for part in parts:
        assert part in reported.err, reported.err


def test_a_finished_search_says_what_else_there_is(undisturbed: Results) -> None:
    before = undisturbed.manifest()
    reported = refused_here("resume", undisturbed.root)
    assert (
        reported.code == 0
        and "This search has finished" in reported.out
        and "--extend" in reported.out
    )
    assert undisturbed.manifest() == before


def test_another_dataset_is_refused(copy: Results, tmp_path: Path) -> None:
    import_source("synthetic:60", tmp_path / "other")
    reported = refused_here("resume", copy.root, "--data", tmp_path / "other")
    refused(reported, "the dataset is not the one", copy.manifest()["dataset"]["fingerprint"])


def test_a_dataset_that_has_gone_is_refused(copy: Results, tmp_path: Path) -> None:
    dataset = {**copy.manifest()["dataset"], "path": str(tmp_path / "gone")}
    copy.update_manifest(dataset=dataset)
    refused(refused_here("resume", copy.root), str(tmp_path / "gone"))


def test_a_changed_search_space_is_refused(copy: Results) -> None:
    space = copy.manifest()["space"]
    space["budget"]["max_epochs"] = 9
    space["parameters"]["batch_size"] = 32
    copy.update_manifest(space=space)
    reported = refused_here("resume", copy.root)
    refused(reported, "budget.max_epochs: 4 → 9", "parameters.batch_size: 16 → 32", "manifest.json")


def test_another_schema_is_refused(copy: Results) -> None:
    copy.manifest_path.write_text(json.dumps({**copy.manifest(), "schema_version": 99}))
    refused(refused_here("resume", copy.root), "schema version 99")


@pytest.mark.parametrize("line", [b"{torn\n", b'{"kind": "epoch", "at": 1, "spent": 1}\n'])
def test_a_damaged_log_is_refused(copy: Results, line: bytes) -> None:
    path = copy.root / EVENTS_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], line, *lines[5:]]))
    refused(refused_here("resume", copy.root), "damaged", f"{EVENTS_FILE}:6")
    assert path.read_bytes().count(b"\n") == len(lines) + 1


@pytest.mark.parametrize(
    ("extension", "parts"),
    [
        ("max_epochs=9", ["only trials, wall_time, accelerator_hours, money can be extended"]),
        ("trials=1", ["budget.trials", "(got 1)"]),
        ("trials=2", ["must be more than the 4 so far"]),
        ("trials=4", ["must be more than the 4 so far"]),
        ("trials=many", ["--extend"]),
        ("wall_time=1s", ["must be more than before", "3600 s"]),
        ("trials", ["--extend"]),
    ],
)
def test_an_extension_that_is_none_is_refused(
    copy: Results, extension: str, parts: list[str]
) -> None:
    copy.update_manifest(state="finished")
    log = (copy.root / EVENTS_FILE).read_bytes()
    reported = refused_here("resume", copy.root, "--extend", extension)
    assert reported.code == 2 and "Traceback" not in reported.err, reported
    for part in parts:
        assert part in reported.err
    assert (copy.root / EVENTS_FILE).read_bytes() == log


# -- extension ----------------------------------------------------------------------------------


def test_an_extension_that_is_killed_as_it_begins_goes_on(
    undisturbed: Results, bench: Bench
) -> None:
    folder = bench.home / "extended"
    shutil.copytree(undisturbed.root, folder, ignore=shutil.ignore_patterns("ray"))
    results, before = Results(folder), undisturbed.manifest()
    extend = ("resume", str(folder), "--extend", "trials=8")
    with bench.start(folder, *extend, seconds=0.5) as process:
        process.until(lambda log: log.space["budget"]["trials"] == 8)
        process.kill_all()
    results.write_manifest(before)  # as if it had been killed right after the event was logged
    done = bench.here("resume", folder)
    assert done.code == 0, done

    manifest, trials = results.manifest(), results.read("trials")
    assert manifest["space"]["budget"]["trials"] == 8 and manifest["state"] == "finished"
    assert trials["trial"].is_unique
    searched = trials[trials["cohort"] != "confirm"]
    earlier = undisturbed.read("trials")
    assert searched["arm"].value_counts().to_dict() == {"densenet121": 4, "resnet18": 4}
    assert set(searched["trial"]) == {0, 1, 2, 3} | {8, 9, 10, 11}, "4 to 7 confirm"
    kept = trials[trials["trial"] < 8].reset_index(drop=True)
    assert kept.equals(earlier), "what had been run is not touched"

    place = lambda choice: (choice["arm"], choice["trial"], choice["value"])  # noqa: E731
    anew = choose(trials, "macro_f1")
    assert [place(c) for c in manifest["choices"]] == [place(c) for c in anew]
    changed = [place(c) for c in anew] != [place(c) for c in before["choices"]]
    assert changed, "with twice the trials another one is better"
    assert manifest["choice_frozen_at"] > before["first_test_read_at"]
    report = json.loads((folder / "report" / "report.json").read_text())
    assert report["verdict"]["kind"] == "not comparable"
    assert any("before the choice was frozen" in text for text in report["verdict"]["broken"])
    runs = {number for choice in manifest["choices"] for number in choice["runs"]}
    scored = trials[trials["trial"].isin(runs)]
    assert len(scored) == 4 and scored["test_macro_f1"].notna().all()
