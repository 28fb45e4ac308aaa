"""The event log: cut anywhere, it restores a search that continues as if never stopped."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from fer_tune.errors import ResultsError
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.events import EVENTS_FILE, History
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.log.logged_search import SPACE, Driver, asked, new_log


@pytest.fixture(scope="module", params=[1, 2])
def lived(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, bytes, Any]:
    """An undisturbed search with one or two runs in hand: that number, its log, its outcome."""
    folder = tmp_path_factory.mktemp("lived")
    driver = Driver(folder, request.param).drive()
    return request.param, (folder / EVENTS_FILE).read_bytes(), driver.outcome()


def test_the_search_that_is_cut_has_every_kind_of_end(lived: Any) -> None:
    _, log, _ = lived
    events = [json.loads(line) for line in log.splitlines()]
    ends = {e["result"]["stop_reason"] for e in events if e.get("kind") == "epoch" and e["done"]}
    assert ends == {None, "completed", "overfit", "diverged", "oom"}
    assert {"asked", "epoch", "audited", "failed", "searched"} <= {e.get("kind") for e in events}
    assert {e["planned"] for e in events if e.get("kind") == "asked"} == {
        "baseline",
        "random",
        "tpe",
    }


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1))
def test_cut_at_any_byte_it_continues_to_the_same_end(lived: Any, share: float) -> None:
    asked, log, outcome = lived
    cut = log[: round(share * len(log))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / EVENTS_FILE).write_bytes(cut)
        if b"\n" not in cut:
            with pytest.raises(ResultsError):
                History.read(folder)
            return
        history = History.read(folder)
        resumed = Driver(folder, asked, history).drive()
        assert resumed.outcome() == outcome
        again = History.read(folder)  # what was torn has been cut off before anything was added
        assert again.searched and all(run.ended for run in again.runs.values())


def test_a_kill_round_an_audit_changes_nothing(lived: Any, tmp_path: Path) -> None:
    asked, log, outcome = lived
    lines = log.splitlines(keepends=True)
    taken = [k for k, line in enumerate(lines) if json.loads(line).get("kind") == "audited"]
    assert len(taken) >= 4
    # Before the audit is noted, before its epoch is, before the epoch after it, and later.
    for place in (place + after for place in taken for after in range(4)):
        folder = tmp_path / str(place)
        folder.mkdir()
        (folder / EVENTS_FILE).write_bytes(b"".join(lines[:place]))
        assert Driver(folder, asked, History.read(folder)).drive().outcome() == outcome


def test_audited_trials_count_as_stopped_for_everyone_else(lived: Any, tmp_path: Path) -> None:
    asked, log, audited = lived
    stopped = Driver(tmp_path, asked, share=0.0).drive().outcome()
    for key in ("runs", "rungs", "trials", "left"):
        assert audited[key] == stopped[key], key
    assert set(stopped["audited"].values()) == {None}
    (tmp_path / EVENTS_FILE).write_bytes(log)
    runs = History.read(tmp_path).runs
    taken = {n: run for n, run in runs.items() if run.audited_at is not None}
    assert {n: epoch for n, epoch in audited["audited"].items() if epoch is not None} == {
        n: run.audited_at for n, run in taken.items()
    }
    assert {(run.last["stop_reason"], run.failed) for run in taken.values()} == {
        ("completed", False),
        ("oom", False),
        (None, True),
    }
    trials = {attrs["trial"]: rest for s in audited["trials"].values() for attrs, *rest in s}
    for number, run in taken.items():
        state, _, values = trials[number]
        assert state == TrialState.PRUNED and max(values) == run.audited_at
        assert run.failed or run.epochs > max(values)


def test_memory_that_runs_out_in_an_audited_trial_still_makes_a_wall(lived: Any) -> None:
    _, _, outcome = lived
    assert outcome["audited"][12] is not None and outcome["walls"][12]


def test_a_fault_that_kept_the_audited_epoch_from_coming_ends_it_all_the_same(
    tmp_path: Path,
) -> None:
    log = new_log(tmp_path)
    run = asked(log)
    log.append("audited", trial=0, epoch=1)
    history = History.read(tmp_path)
    searcher = StudySearcher(SPACE, log, history=history)
    searcher.suggest("t0")
    state = lambda: searcher.studies[0].study.trials[0].state  # noqa: E731
    assert searcher.assignments["t0"] == run and state() == TrialState.RUNNING
    searcher.on_trial_complete("t0", None, error=True)
    assert state() == TrialState.PRUNED


def test_every_prefix_in_lines_holds_what_ended(lived: Any) -> None:
    _, log, _ = lived
    lines = log.splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ended: dict[int, Any] = {}
        for count in range(1, len(lines) + 1):
            (folder / EVENTS_FILE).write_bytes(b"".join(lines[:count]))
            runs = History.read(folder).runs
            for number, run in ended.items():
                assert runs[number] == run
            ended = {number: run for number, run in runs.items() if run.ended}


def test_the_space_that_a_log_holds_is_that_of_the_search(lived: Any, tmp_path: Path) -> None:
    _, log, _ = lived
    (tmp_path / EVENTS_FILE).write_bytes(log)
    assert SearchSpace.from_dict(History.read(tmp_path).space) == SPACE
