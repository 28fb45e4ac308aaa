"""Searches of real runs that are killed and interrupted end like one that was not."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.killing.snapshots import Snapshot, differences, snapshot
from fer_tune.data import PackedDataset
from fer_tune.records import Results
from fer_tune.serving.finding import kept_models
from fer_tune.tuning.log.events import EVENTS_FILE, History
from tests.command_line import Outcome
from tests.integration import lean_search
from tests.integration.here import fer_tune_here, refused_here
from tests.integration.killing import SearchProcess

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
  batch_size: 32
cohorts:
  baseline: [{unfreeze_depth: 1, crop_size: 32, lr_head: 1e-3, batch_size: 32}]
budget: {trials: 4, max_epochs: 4, wall_time: 1h}
scheduler: {kind: asha, grace_epochs: 2, reduction_factor: 2}
stopper: {patience: 1}
resources: {cpu: 1, max_concurrent: 1}
weights: none
precision: float32
confirm: {seeds: 2}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("resume")
    (home / "tiny.yaml").write_text(SPACE)
    return home


@contextmanager
def start(home: Path, folder: Path, *words: str, lean: bool = True) -> Iterator[SearchProcess]:
    """Runs ``fer-tune``, by default on a lean Ray; nothing of it is left behind."""
    module = lean_search.__name__ if lean else "fer_tune.cli"
    process = SearchProcess(folder, *words, "--no-dashboard", home=home, module=module)
    try:
        yield process
    finally:
        process.clean_up()


def search(home: Path, faces: PackedDataset, folder: Path, *more: str, **how: bool) -> Any:
    words = ["search", str(home / "tiny.yaml"), "--data", str(faces.root)]
    return start(home, folder, *words, "--results", str(folder), *more, **how)


def resume(home: Path, folder: Path, *words: str, **how: bool) -> Any:
    return start(home, folder, "resume", str(folder), *words, **how)


#: Saves every epoch before it is reported.
EVERY_EPOCH = ("--checkpoint-interval", "0")
#: However slow the machine is.
NO_EPOCH = ("--checkpoint-interval", "3600")


@pytest.fixture(scope="module")
def undisturbed(home: Path, faces: PackedDataset) -> Results:
    folder = home / "undisturbed"
    words = ("search", home / "tiny.yaml", "--data", faces.root, "--results", folder)
    done = fer_tune_here(*words, "--no-dashboard", FER_TUNE_BANK=str(home / "bank"))
    assert done.code == 0, done
    return Results(folder)


class Journey(NamedTuple):
    """A search that was disturbed at every turn, and what there was at each of them."""

    results: Results
    codes: dict[str, int]
    texts: dict[str, str]
    states: dict[str, str]
    folders: dict[str, Snapshot]
    killed: int
    second: Outcome
    first: int


@pytest.fixture(scope="module")
def journey(home: Path, faces: PackedDataset) -> Journey:
    folder = home / "disturbed"
    results = Results(folder)
    codes, texts, states, folders = {}, {}, {}, {}

    def note(turn: str, process: SearchProcess, code: int = 0) -> None:
        codes[turn], texts[turn] = code, process.text
        states[turn] = results.manifest()["state"]
        folders[turn] = snapshot(folder)
        shutil.copyfile(folder / EVENTS_FILE, home / f"events-{turn}.jsonl")

    # An interruption and a kill of everything meet all processes of a Ray.
    with search(home, faces, folder, *NO_EPOCH, lean=False) as process:
        process.until(lambda log: log.runs.get(0) is not None and log.runs[0].epochs >= 1)
        folders["before"] = snapshot(folder)
        process.interrupt()
        note("interrupted", process, process.ended())

    with resume(home, folder, *NO_EPOCH, lean=False) as process:
        # A second one is refused, by name of the first; then a trial's process dies.
        process.until(lambda log: len(log.sessions) == 2)
        first = process.pid
        second = refused_here("resume", folder)
        process.until(lambda log: 1 in log.runs and log.runs[1].epochs >= 1)
        folders["trial"] = snapshot(folder)
        killed = len(process.kill_trial())
        process.until(lambda log: 3 in log.runs and log.runs[3].epochs >= 1)
        process.kill_all()
        note("all", process)

    with resume(home, folder, *EVERY_EPOCH) as process:
        process.until(lambda log: log.searched and any(r.epochs for r in _confirming(log)))
        process.kill()
        note("driver", process)
    # As if it had been killed before the runs' numbers were written to the manifest.
    choices = [{**choice, "runs": []} for choice in results.manifest()["choices"]]
    results.update_manifest(choices=choices)

    with resume(home, folder, *EVERY_EPOCH) as process:
        process.until(lambda log: sum(r.epochs > 0 for r in _confirming(log)) == 2)
        process.interrupt()
        time.sleep(0.2)
        process.interrupt()
        note("twice", process, process.ended())

    # As if a kill had come between writing these files and renaming them.
    for name in ("manifest.json", "models/card.json"):
        half = folder / name
        half.parent.mkdir(exist_ok=True)
        (half.parent / f".{half.name}.{uuid.uuid4().hex}").write_text("{")
    with resume(home, folder) as process:
        note("last", process, process.ended(200))
    return Journey(results, codes, texts, states, folders, killed, second, first)


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
    kept = [
        {card.arm: (card.run, card.sha256) for card in kept_models(results.root).values()}
        for results in (undisturbed, journey.results)
    ]
    assert kept[0] == kept[1] and len(kept[0]) == 2


def test_what_had_ended_is_never_repeated(journey: Journey, home: Path) -> None:
    whole = (journey.results.root / EVENTS_FILE).read_bytes()
    for turn in ("interrupted", "all", "driver", "twice"):
        then = (home / f"events-{turn}.jsonl").read_bytes()
        assert whole.startswith(then), "the log only grows"
    events = [json.loads(line) for line in whole.splitlines()]
    asked = [event["run"]["number"] for event in events if event.get("kind") == "asked"]
    assert asked == sorted(set(asked)) and len(asked) == 4 + 4
    epochs = [(e["trial"], e["result"]["epoch"]) for e in events if e.get("kind") == "epoch"]
    assert len(epochs) == len(set(epochs)), "no epoch is reported twice"


def test_rungs_come_back_whole(undisturbed: Results, journey: Journey) -> None:
    turns = ["interrupted", "all", "driver", "twice", "last"]
    for earlier, later in pairwise(turns):
        assert journey.folders[later].holds(journey.folders[earlier])
    assert journey.folders["all"].entries > journey.folders["interrupted"].entries > 0
    assert journey.folders["last"].rungs == snapshot(undisturbed.root).rungs


@pytest.mark.parametrize("turn", ["trial", "all", "driver", "twice"])
def test_a_kill_costs_the_running_epoch_and_those_not_saved(
    journey: Journey, home: Path, turn: str
) -> None:
    then = journey.folders[turn]
    assert then.saved, "a run was going on"
    for number, epochs in then.logged.items():
        assert then.saved[number] <= epochs + 1, "a checkpoint is ahead of its report"
        if turn in ("driver", "twice"):
            assert then.saved[number] >= epochs
    if turn != "trial":
        before = _history(home / f"events-{turn}.jsonl", home / f"at-{turn}")
        after = History.read(journey.results.root)
        for number, run in before.runs.items():
            assert after.runs[number].results[: run.epochs] == run.results


def test_epochs_that_are_trained_again_are_counted_and_equal(journey: Journey) -> None:
    events = (journey.results.root / EVENTS_FILE).read_text()
    replayed = journey.results.read("trials").set_index("trial")["replayed_epochs"]
    assert replayed[1] > 0, "its process was killed before anything was saved"
    assert replayed[3] > 0, "all processes were killed while it ran"
    assert events.count('"kind": "replayed"') == replayed.sum()
    assert '"equal": false' not in events
    assert "differs from its first report" not in "".join(journey.texts.values())


def _history(log: Path, folder: Path) -> History:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(log, folder / EVENTS_FILE)
    return History.read(folder)


# -- Ctrl-C -------------------------------------------------------------------------------------


def test_the_first_ctrl_c_lets_the_epoch_end_and_says_how_to_go_on(journey: Journey) -> None:
    assert journey.codes["interrupted"] == 130
    text = journey.texts["interrupted"]
    assert "waiting for running epochs to finish; press Ctrl-C again to stop immediately" in text
    assert f"fer-tune resume {journey.results.root}" in text
    assert journey.states["interrupted"] == "interrupted"
    before, after = journey.folders["before"], journey.folders["interrupted"]
    assert after.ended or after.logged[0] > before.logged[0], "the running epoch was finished"
    # One ahead is an epoch that ended while the driver closed: the resume reports it.
    ahead = [after.saved[number] - epochs for number, epochs in after.logged.items()]
    assert set(ahead) <= {0, 1}, (after.saved, after.logged)


def test_the_second_ctrl_c_ends_at_once(journey: Journey) -> None:
    assert journey.codes["twice"] == 130, journey.texts["twice"]
    assert f"fer-tune resume {journey.results.root}" in journey.texts["twice"]
    assert journey.states["twice"] == "interrupted"


def test_nothing_half_written_is_left(journey: Journey) -> None:
    """Not even by a kill between writing a file and renaming it, as the last turn found it."""
    hidden = {path.name for path in journey.results.root.rglob(".*") if "ray" not in path.parts}
    assert hidden <= {".lock"}


# -- a second process ---------------------------------------------------------------------------


def test_a_second_resume_is_refused_naming_the_first(journey: Journey) -> None:
    code, _, text = journey.second
    assert code == 2
    assert text.startswith(f"fer-tune: {journey.results.root}: process {journey.first}")
    assert "is writing to this folder" in text
    assert "Traceback" not in text and len(text.splitlines()) == 1
