"""Searches that are killed and interrupted end like one that was not; what cannot go on is told."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import fer_tune.cli
from benchmarks.killing.snapshots import Snapshot, differences, snapshot
from fer_tune.data import PackedDataset, import_source
from fer_tune.records import Results
from fer_tune.tuning.confirmation import choose
from fer_tune.tuning.events import EVENTS_FILE, History
from tests.integration.killing import Sitting

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.kills, pytest.mark.timeout(1200)]

# No trial ends at its first epoch, so that one is surely found in the midst of its work.
SPACE = """
name: tiny
purpose: Two small backbones on few faces.
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
confirm: {seeds: 2}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("resume")
    (home / "tiny.yaml").write_text(SPACE)
    return home


@contextmanager
def sitting(home: Path, folder: Path, *words: str) -> Iterator[Sitting]:
    """Runs ``fer-tune``; nothing of it is left behind."""
    begun = Sitting(folder, *words, "--no-dashboard", home=home)
    try:
        yield begun
    finally:
        begun.clean_up()


def search(home: Path, faces: PackedDataset, folder: Path) -> Any:
    words = ["search", str(home / "tiny.yaml"), "--data", str(faces.root)]
    return sitting(home, folder, *words, "--results", str(folder))


def resume(home: Path, folder: Path, *words: str) -> Any:
    return sitting(home, folder, "resume", str(folder), *words)


@pytest.fixture(scope="module")
def undisturbed(home: Path, faces: PackedDataset) -> Results:
    with search(home, faces, home / "undisturbed") as going:
        assert going.ended(200) == 0, going.text
    return Results(home / "undisturbed")


class Journey(NamedTuple):
    """A search that was disturbed at every turn, and what there was at each of them."""

    results: Results
    codes: dict[str, int]
    texts: dict[str, str]
    states: dict[str, str]
    folders: dict[str, Snapshot]
    killed: int


@pytest.fixture(scope="module")
def journey(home: Path, faces: PackedDataset) -> Journey:
    folder = home / "disturbed"
    results = Results(folder)
    codes, texts, states, folders = {}, {}, {}, {}

    def note(turn: str, going: Sitting, code: int = 0) -> None:
        codes[turn], texts[turn] = code, going.text
        states[turn] = results.manifest()["state"]
        folders[turn] = snapshot(folder)
        shutil.copyfile(folder / EVENTS_FILE, home / f"events-{turn}.jsonl")

    with search(home, faces, folder) as going:
        going.until(lambda log: log.runs.get(0) is not None and log.runs[0].epochs >= 1)
        folders["before"] = snapshot(folder)
        going.interrupt()
        note("interrupted", going, going.ended())

    with resume(home, folder) as going:
        # A second one is refused, by name of the first; then a trial's process dies.
        going.until(lambda log: len(log.sittings) == 2)
        with resume(home, folder) as second:
            code = second.ended()
            note("second", second, code)
        going.until(lambda log: 1 in log.runs and log.runs[1].epochs >= 1)
        folders["trial"] = snapshot(folder)
        killed = len(going.kill_trial())
        going.until(lambda log: 3 in log.runs and log.runs[3].epochs >= 1)
        going.kill_all()
        note("all", going)

    with resume(home, folder) as going:
        going.until(lambda log: log.searched and any(r.epochs for r in _confirming(log)))
        going.kill()
        note("driver", going)
    # As if it had been killed before the manifest was told of the runs' numbers: the log has them.
    choices = [{**choice, "runs": []} for choice in results.manifest()["choices"]]
    results.update_manifest(choices=choices)

    with resume(home, folder) as going:
        going.until(lambda log: sum(r.epochs > 0 for r in _confirming(log)) == 2)
        going.interrupt()
        time.sleep(0.2)
        going.interrupt()
        note("twice", going, going.ended())

    with resume(home, folder) as going:
        note("last", going, going.ended(200))
    return Journey(results, codes, texts, states, folders, killed)


def _confirming(history: History) -> list[Any]:
    return [run for run in history.runs.values() if run.assignment.cohort == "confirm"]


# -- the end ------------------------------------------------------------------------------------


def test_a_disturbed_search_ends_like_an_undisturbed_one(
    undisturbed: Results, journey: Journey
) -> None:
    assert journey.codes["last"] == 0, journey.texts["last"]
    assert journey.killed == 1
    assert differences(undisturbed, journey.results) == {}
    assert "Traceback" not in "".join(journey.texts.values())
    manifest = journey.results.manifest()
    assert manifest["sittings"] == 5 and manifest["state"] == "finished"
    assert not any((journey.results.root / "checkpoints").iterdir())


def test_what_had_ended_is_never_repeated(journey: Journey, home: Path) -> None:
    whole = (journey.results.root / EVENTS_FILE).read_bytes()
    for turn in ("interrupted", "all", "driver", "twice"):
        then = (home / f"events-{turn}.jsonl").read_bytes()
        assert whole.startswith(then), "the log only grows"
    events = [json.loads(line) for line in whole.splitlines()]
    asked = [event["run"]["number"] for event in events if event.get("kind") == "asked"]
    assert asked == sorted(set(asked)) and len(asked) == 4 + 4
    epochs = [(e["trial"], e["result"]["epoch"]) for e in events if e.get("kind") == "epoch"]
    assert len(epochs) == len(set(epochs)), "no epoch is told twice"


def test_rungs_come_back_whole(undisturbed: Results, journey: Journey) -> None:
    turns = ["interrupted", "all", "driver", "twice", "last"]
    for earlier, later in pairwise(turns):
        assert journey.folders[later].holds(journey.folders[earlier])
    assert journey.folders["all"].entries > journey.folders["interrupted"].entries > 0
    assert journey.folders["last"].rungs == snapshot(undisturbed.root).rungs


@pytest.mark.parametrize("turn", ["trial", "all", "driver", "twice"])
def test_a_running_epoch_is_all_that_a_kill_costs(journey: Journey, home: Path, turn: str) -> None:
    then = journey.folders[turn]
    assert then.saved, "a run was going on"
    for number, epochs in then.logged.items():
        assert then.saved[number] in (epochs, epochs + 1), "a checkpoint is ahead of its report"
    if turn != "trial":
        before = _history(home / f"events-{turn}.jsonl", home / f"at-{turn}")
        after = History.read(journey.results.root)
        for number, run in before.runs.items():
            assert after.runs[number].results[: run.epochs] == run.results


def _history(log: Path, folder: Path) -> History:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(log, folder / EVENTS_FILE)
    return History.read(folder)


# -- Ctrl-C -------------------------------------------------------------------------------------


def test_the_first_ctrl_c_lets_the_epoch_end_and_says_how_to_go_on(journey: Journey) -> None:
    assert journey.codes["interrupted"] == 130
    text = journey.texts["interrupted"]
    assert "running epochs are finished first; Ctrl-C again ends at once" in text
    assert f"fer-tune resume {journey.results.root}" in text
    assert journey.states["interrupted"] == "interrupted"
    before, after = journey.folders["before"], journey.folders["interrupted"]
    assert after.ended or after.logged[0] > before.logged[0], "the running epoch was finished"
    assert all(after.saved[number] == epochs for number, epochs in after.logged.items())


def test_the_second_ctrl_c_ends_at_once(journey: Journey) -> None:
    assert journey.codes["twice"] == 130, journey.texts["twice"]
    assert f"fer-tune resume {journey.results.root}" in journey.texts["twice"]
    assert journey.states["twice"] == "interrupted"


def test_nothing_half_written_is_left(journey: Journey) -> None:
    hidden = {path.name for path in journey.results.root.rglob(".*") if "ray" not in path.parts}
    assert hidden <= {".lock"}


# -- refusals -----------------------------------------------------------------------------------


def test_a_second_resume_is_refused_naming_the_first(journey: Journey) -> None:
    assert journey.codes["second"] == 2
    text = journey.texts["second"]
    assert text.startswith(f"fer-tune: {journey.results.root}: process ")
    assert "is writing here" in text and "Traceback" not in text and len(text.splitlines()) == 1


class Told(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def fer_tune_here(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Callable[..., Told]:
    """Runs ``fer-tune`` in this process, where it must not get as far as to start Ray."""

    def run(*words: object) -> Told:
        import ray

        monkeypatch.setattr(sys, "argv", ["fer-tune", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "400")
        monkeypatch.setattr(ray, "init", lambda **options: pytest.fail("Ray was started"))
        with pytest.raises(SystemExit) as ended:
            fer_tune.cli.main()
        return Told(int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def copy(undisturbed: Results, tmp_path: Path) -> Results:
    """The undisturbed search, as if it had been killed before it ended."""
    shutil.copytree(undisturbed.root, tmp_path / "r", ignore=shutil.ignore_patterns("ray"))
    results = Results(tmp_path / "r")
    results.update_manifest(state="running")
    return results


def refused(told: Told, *parts: str) -> None:
    assert told.code == 2 and told.err.startswith("fer-tune: "), told
    assert len(told.err.strip().splitlines()) == 1 and "Traceback" not in told.err
    for part in parts:
        assert part in told.err, told.err


def test_a_finished_search_says_what_else_there_is(
    undisturbed: Results, fer_tune_here: Callable[..., Told]
) -> None:
    before = undisturbed.manifest()
    told = fer_tune_here("resume", undisturbed.root)
    assert told.code == 0 and "This search has finished" in told.out and "--extend" in told.out
    assert undisturbed.manifest() == before


def test_another_dataset_is_refused(
    copy: Results, tmp_path: Path, fer_tune_here: Callable[..., Told]
) -> None:
    import_source("synthetic:60", tmp_path / "other")
    told = fer_tune_here("resume", copy.root, "--data", tmp_path / "other")
    refused(told, "the dataset is not the one", copy.manifest()["dataset"]["fingerprint"])


def test_a_dataset_that_has_gone_is_refused(
    copy: Results, tmp_path: Path, fer_tune_here: Callable[..., Told]
) -> None:
    dataset = {**copy.manifest()["dataset"], "path": str(tmp_path / "gone")}
    copy.update_manifest(dataset=dataset)
    refused(fer_tune_here("resume", copy.root), str(tmp_path / "gone"))


def test_a_changed_search_space_is_refused(
    copy: Results, fer_tune_here: Callable[..., Told]
) -> None:
    space = copy.manifest()["space"]
    space["budget"]["max_epochs"] = 9
    space["parameters"]["batch_size"] = 32
    copy.update_manifest(space=space)
    told = fer_tune_here("resume", copy.root)
    refused(told, "budget.max_epochs: 4 → 9", "parameters.batch_size: 16 → 32", "manifest.json")


def test_another_schema_is_refused(copy: Results, fer_tune_here: Callable[..., Told]) -> None:
    copy.manifest_path.write_text(json.dumps({**copy.manifest(), "schema_version": 99}))
    refused(fer_tune_here("resume", copy.root), "schema version 99")


@pytest.mark.parametrize("line", [b"{torn\n", b'{"kind": "epoch", "at": 1, "spent": 1}\n'])
def test_a_damaged_log_is_refused(
    copy: Results, line: bytes, fer_tune_here: Callable[..., Told]
) -> None:
    path = copy.root / EVENTS_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], line, *lines[5:]]))
    refused(fer_tune_here("resume", copy.root), "damaged", f"{EVENTS_FILE}:6")
    assert path.read_bytes().count(b"\n") == len(lines) + 1


@pytest.mark.parametrize(
    ("extension", "parts"),
    [
        ("max_epochs=9", ["only trials and wall_time can be extended"]),
        ("trials=1", ["budget.trials", "(got 1)"]),
        ("trials=2", ["must be more than the 4 so far"]),
        ("trials=4", ["must be more than the 4 so far"]),
        ("trials=many", ["--extend"]),
        ("wall_time=1s", ["must be more than before", "3600 s"]),
        ("trials", ["--extend"]),
    ],
)
def test_an_extension_that_is_none_is_refused(
    copy: Results, extension: str, parts: list[str], fer_tune_here: Callable[..., Told]
) -> None:
    copy.update_manifest(state="finished")
    log = (copy.root / EVENTS_FILE).read_bytes()
    told = fer_tune_here("resume", copy.root, "--extend", extension)
    assert told.code == 2 and "Traceback" not in told.err, told
    for part in parts:
        assert part in told.err
    assert (copy.root / EVENTS_FILE).read_bytes() == log


# -- extension ----------------------------------------------------------------------------------


def test_an_extension_that_is_killed_as_it_begins_goes_on(undisturbed: Results, home: Path) -> None:
    folder = home / "extended"
    shutil.copytree(undisturbed.root, folder, ignore=shutil.ignore_patterns("ray"))
    results, before = Results(folder), undisturbed.manifest()
    with resume(home, folder, "--extend", "trials=8") as going:
        going.until(lambda log: log.space["budget"]["trials"] == 8)
        going.kill_all()
    results.write_manifest(before)  # as if it had been killed right after the log was told
    with resume(home, folder) as going:
        assert going.ended(200) == 0, going.text

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
