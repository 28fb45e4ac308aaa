"""Logs of events and checkpoints from strangers: read, or refused with line, key and value."""

from __future__ import annotations

import json
import random
import resource
from pathlib import Path
from typing import Any

import pytest

from fer_tune.errors import ResultsError, SpaceError
from fer_tune.schema.limits import GIB
from fer_tune.space import TrialConfig
from fer_tune.storage import is_number
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.event_store import cut_torn_line, segments_of
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.log.resume_checks import check_recorded, check_unchanged_space
from fer_tune.tuning.raytune.checkpoints import Checkpoints, checkpointed
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.analysis.fakes.mangled import VALUES, places, replaced
from tests.tuning.conftest import make_space

SPACE = make_space()
MANIFEST: dict[str, Any] = {
    "space": SPACE.as_dict(),
    "dataset": {"path": "faces", "fingerprint": "f"},
    "classes": ["angry", "happy"],
    "arms": {arm: {"weights_sha256": None} for arm in SPACE.compare.arms},
    "started": 1.0,
    "startup_seconds": None,
    "choices": [],
    "superseded": [],
    "choice_frozen_at": None,
    "first_test_read_at": None,
    "confirm_asked": None,
}


def assignment(number: int) -> Assignment:
    return Assignment(
        number=number,
        arm="resnet152",
        replicate=0,
        cohort="tpe",
        seed=1,
        weights_seed=2,
        view_seed=3,
        config=TrialConfig(backbone="resnet152", unfreeze_depth=2, crop_size=48, lr_head=1e-2),
    )


def result(epoch: int) -> dict[str, Any]:
    return {
        **{"epoch": epoch, "ran": True, "stop_reason": None, "score": 0.5, "val_macro_f1": 0.5},
        **{"val_loss": 1.0, "train_loss": float("nan"), "epoch_seconds": 2.0, "best_epoch": 1},
        **{"best_counts": [[3, 1], [1, 3]], "started": 5.0, "setup_seconds": 1.0, "seconds": 2.0},
        "latency": {"p50_ms": 1.0, "p95_ms": 2.0, "peak_memory_mib": 3.0},
    }


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """A log with an event of every kind, and its lines."""
    log = EventLog.begin(
        tmp_path, {"schema_version": 1, "fingerprint": "f", "space": SPACE.as_dict()}
    )
    log.append("sitting", began=1.0, command=["x"], versions={})
    for number in (0, 1):
        log.append("asked", planned="tpe", run=assignment(number).as_dict())
    log.append("skipped", study="resnet152/0", planned="random")
    log.append("epoch", trial=0, result=result(1), done=False)
    log.append("audited", trial=0, epoch=2)
    log.append("epoch", trial=0, result={**result(2), "stop_reason": "completed"}, done=True)
    log.append("failed", trial=1, fault="x")
    log.append("retried", trial=1)
    log.append("tick")
    log.append("searched")
    log.append("extended", budget={**SPACE.as_dict()["budget"], "trials": 16})
    return [json.loads(line) for line in (tmp_path / EVENTS_FILE).read_text().splitlines()]


def write(folder: Path, lines: list[Any]) -> None:
    (folder / EVENTS_FILE).write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def resumed(folder: Path) -> None:
    """What a resume does of a log before it starts anything."""
    history = History.read(folder)
    manifest = {**MANIFEST, "space": history.space}
    space = check_unchanged_space(manifest, history, folder)
    check_recorded(space, manifest, history, folder)
    StudySearcher(space, EventLog(folder), history=history)


def test_the_whole_log_is_resumed(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    write(tmp_path, lines)
    resumed(tmp_path)


def test_any_value_in_any_line_is_read_or_refused(
    tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    cases = [(at, name) for at in places(lines) if len(at) > 1 for name in VALUES]
    accepted = 0
    for at, name in random.Random(0).sample(cases, 400):
        write(tmp_path, replaced(lines, at, VALUES[name]))
        try:
            resumed(tmp_path)
            accepted += 1
        except (ResultsError, SpaceError) as error:
            named = EVENTS_FILE in str(error) and len(str(error)) < 4000
            assert named, (at, name)
    assert 10 < accepted < 390


WRONG: dict[str, tuple[str, Any, str]] = {
    "a list": ("", [], "not a mapping (got [])"),
    "no kind": ("kind", "x" * 10**5, "kind must be one of"),
    "a negative number": ("run.number", -1, "run.number must be at least 0 (got -1)"),
    "a number beyond the columns": ("run.number", 2**31, "must be at most 2000000000"),
    "a seed that is a text": ("run.seed", "1", "run.seed must be a whole number (got '1')"),
    "a configuration of nothing": ("run.config", {}, "run.config must name a backbone"),
    "a crop of a million": ("run.config.crop_size", 10**6, "crop_size a whole number from 32"),
    "half a character": ("planned", "\ud800", "contains an unpaired surrogate"),
    "sixty levels": ("run.config", VALUES["deep"], "nested more than 32 levels deep"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_line_that_breaks_a_rule_is_named(
    tmp_path: Path, lines: list[dict[str, Any]], name: str
) -> None:
    key, value, message = WRONG[name]
    at = (2, *key.split(".")) if key else (2,)
    write(tmp_path, replaced(lines, at, value))
    with pytest.raises(ResultsError) as caught:
        History.read(tmp_path)
    text = str(caught.value)
    assert f"{EVENTS_FILE}:3" in text and message in text and len(text) < 800


@pytest.mark.parametrize("kind", ["epoch", "audited", "failed", "retried"])
def test_an_event_of_a_run_that_was_never_assigned_is_refused(
    tmp_path: Path, lines: list[dict[str, Any]], kind: str
) -> None:
    at = next(number for number, line in enumerate(lines) if line.get("kind") == kind)
    write(tmp_path, replaced(lines, (at, "trial"), 7))
    with pytest.raises(ResultsError, match="trial refers to no earlier run") as caught:
        History.read(tmp_path)
    assert f"{EVENTS_FILE}:{at + 1}" in str(caught.value)


@pytest.mark.parametrize("line", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000])
def test_a_line_that_python_gives_up_on_is_damaged(
    tmp_path: Path, lines: list[dict[str, Any]], line: str
) -> None:
    write(tmp_path, lines)
    with (tmp_path / EVENTS_FILE).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ResultsError, match="damaged: not a valid event"):
        History.read(tmp_path)


MISFITS: dict[str, tuple[int, str, Any, str]] = {
    "an arm of another search": (2, "run.arm", "vgg", r"run 0 belongs to unknown study 'vgg/0'"),
    "a replicate too many": (
        2,
        "run.replicate",
        7,
        r"run 0 belongs to unknown study 'resnet152/7'",
    ),
    "a study of another search": (4, "study", "vgg/0", "there is no study 'vgg/0'"),
    "counts of three classes": (
        5,
        "result.best_counts",
        [[0] * 3] * 3,
        "counts of run 0 do not have 2 classes",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_an_event_of_another_search_is_refused_at_a_resume(
    tmp_path: Path, lines: list[dict[str, Any]], name: str
) -> None:
    number, key, value, message = MISFITS[name]
    write(tmp_path, replaced(lines, (number, *key.split(".")), value))
    with pytest.raises(ResultsError, match=message):
        resumed(tmp_path)


@pytest.mark.parametrize("key", sorted(MANIFEST.keys() - {"space"}))
def test_a_manifest_that_lacks_what_a_resume_reads_is_refused(
    tmp_path: Path, lines: list[dict[str, Any]], key: str
) -> None:
    write(tmp_path, lines)
    lacking = {name: value for name, value in MANIFEST.items() if name != key}
    with pytest.raises(ResultsError, match=f"{key}.* is missing"):
        check_recorded(SPACE, lacking, History.read(tmp_path), tmp_path)


def test_a_checkpoint_against_the_schema_is_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 0)
    checkpoints.make_folder()
    for epoch in (1, 2):
        checkpoints.save(epoch, {**result(epoch), "done": False}, lambda folder: None)
    newest = next(checkpoints.newest_first()).folder / "result.json"
    whole = json.loads(newest.read_text())
    for spoilt in (
        {**whole, "epoch": -1},
        {**whole, "val_loss": "x"},
        {**whole, "seconds": None},
        VALUES["deep"],
        [],
    ):
        newest.write_text(json.dumps(spoilt))
        assert [found.result["epoch"] for found in checkpoints.newest_first()] == [1]


def test_a_checkpoint_cannot_add_keys_to_a_report(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 0)
    checkpoints.make_folder()
    foreign = {"disk_fault": [1, "x", "y"], "config": {}, "trial_id": "z"}
    checkpoints.save(1, {**result(1), "done": False, **foreign}, lambda folder: None)
    (found,) = checkpoints.newest_first()
    assert found.result.keys() == {*result(1), "done"}


def test_a_line_without_end_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    EventLog.begin(tmp_path, {"space": {"budget": {}}})
    with (tmp_path / EVENTS_FILE).open("rb+") as file:
        file.truncate(6 * GIB)  # a hole, which takes no disk
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + GIB, before[1]))
    try:
        with pytest.raises(ResultsError, match="longer than") as raised:
            History.read(tmp_path)
        cut_torn_line(tmp_path / EVENTS_FILE)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert f"{EVENTS_FILE}:2" in str(raised.value)
    assert (tmp_path / EVENTS_FILE).read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("length", [0, 1, 70_000, 64 * 1024, 64 * 1024 - 1])
def test_a_torn_line_of_any_length_is_cut(tmp_path: Path, length: int) -> None:
    for whole in (b"", b"{}\n", b"x" * 64 * 1024 + b"\n"):
        (tmp_path / "log").write_bytes(whole + b"t" * length)
        cut_torn_line(tmp_path / "log")
        assert (tmp_path / "log").read_bytes() == whole


@pytest.mark.parametrize("name", ["\u00b2", "\u0663", "1" * 5000])
def test_names_that_are_digits_but_no_numbers_are_left_alone(tmp_path: Path, name: str) -> None:
    assert not is_number(name) and is_number("000001")
    if len(name) > 255:
        return
    (tmp_path / "checkpoints/000001" / name).mkdir(parents=True)
    (tmp_path / "checkpoints" / name).mkdir()
    assert checkpointed(tmp_path) == {1}
    assert list(Checkpoints(tmp_path, 1).newest_first()) == []
    (tmp_path / "log").mkdir()
    for segment in ("000001", name):
        (tmp_path / "log" / segment).write_bytes(b"{}\n")
    assert [one.name for one in segments_of(tmp_path / "log")] == ["000001"]
