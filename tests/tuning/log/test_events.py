"""The event log, one event after the other: what is read back, and the time that it counts."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from ray.tune.search import Searcher

from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.session import _record_end
from fer_tune.tuning.studies.confirmation import known_runs, missing_runs, number_runs
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.log.logged_search import IDENTITY, SPACE, asked, new_log


def test_a_torn_last_line_is_not_read_and_is_cut_off_before_the_next(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.append("tick")
    path = tmp_path / EVENTS_FILE
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "searched", "at": 1')
    assert not History.read(tmp_path).searched
    again = EventLog(tmp_path)
    assert path.read_bytes() == whole
    again.append("searched")
    assert History.read(tmp_path).searched


@pytest.mark.parametrize(
    "line",
    [
        b"{torn\n",
        b"[1, 2]\n",
        b"\0\0\0\0\n",
        b"{}\n",
        b'{"kind": "epoch", "at": 1.0, "spent": 0.0, "trial": 7, "done": false}\n',
        b'{"kind": "asked", "at": 1.0, "spent": 0.0, "run": {"number": 1}, "planned": "tpe"}\n',
    ],
)
def test_a_damaged_line_in_the_middle_is_refused_by_number(tmp_path: Path, line: bytes) -> None:
    log = new_log(tmp_path)
    log.append("tick")
    path = tmp_path / EVENTS_FILE
    path.write_bytes(path.read_bytes() + line + b'{"kind": "tick", "at": 2.0, "spent": 1.0}\n')
    with pytest.raises(ResultsError, match="damaged") as caught:
        History.read(tmp_path)
    assert f"{EVENTS_FILE}:3" in str(caught.value)


@pytest.mark.parametrize("first", [b"", b'{"log": 1', b'{"log": 99}\n', b'{"kind": "tick"}\n'])
def test_a_log_of_another_version_is_refused(tmp_path: Path, first: bytes) -> None:
    (tmp_path / EVENTS_FILE).write_bytes(first)
    with pytest.raises(ResultsError, match="not an event log"):
        History.read(tmp_path)


def test_a_history_is_what_was_appended(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.append("sitting", began=1.0, command=["fer-tune"], versions={})
    run = asked(log)
    first = {"epoch": 1, "ran": True, "score": 0.5}
    log.append("epoch", trial=0, result=first, done=False)
    log.append("skipped", study="densenet161/0", planned="baseline")
    history = History.read(tmp_path)
    kept = history.runs[0]
    assert (kept.assignment, kept.planned, kept.results) == (
        run,
        "tpe",
        [first],
    )
    assert not kept.ended and kept.epochs == 1 and history.trials == [kept]
    assert history.skipped == [("densenet161/0", "baseline")]
    assert [s.began for s in history.sessions] == [1.0]
    second = json.loads((tmp_path / EVENTS_FILE).read_text().splitlines()[1])
    assert second["kind"] == "sitting" and second["command"] == ["fer-tune"]
    log.append("failed", trial=0, fault="crash")
    assert History.read(tmp_path).runs[0].ended
    log.append("retried", trial=0)
    void = History.read(tmp_path).runs[0]
    assert not void.ended and void.results == [] and void.assignment == run


def test_a_report_that_is_repeated_changes_nothing(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    asked(log)
    run = History.read(tmp_path).runs[0]
    one, two = ({"epoch": e, "ran": True, "score": 0.1 * e} for e in (1, 2))
    assert run.add_result(one, done=False) and run.add_result(two, done=False)
    assert not run.add_result(two, done=False) and not run.add_result(one, done=False)
    assert run.results == [one, two] and not run.ended
    assert run.add_result(two, done=True), "that it ended there is news"
    assert run.results == [one, two] and run.ended
    assert not run.add_result({"epoch": 3, "ran": True}, done=False)


def test_the_time_between_sessions_counts_for_nothing(tmp_path: Path) -> None:
    events = [
        {"kind": "sitting", "at": 110.0, "spent": 0.0, "began": 100.0, "command": []},
        {"kind": "tick", "at": 160.0, "spent": 50.0},
        {"kind": "sitting", "at": 1010.0, "spent": 50.0, "began": 1000.0, "command": []},
        {"kind": "searched", "at": 1030.0, "spent": 65.0},
        {"kind": "tick", "at": 1040.0, "spent": 65.0},
        {"kind": "sitting", "at": 9001.0, "spent": 65.0, "began": 9000.0, "command": []},
        {"kind": "extended", "at": 9002.0, "spent": 65.0, "budget": {"trials": 20}},
    ]
    text = "".join(json.dumps(event) + "\n" for event in [{"log": 1, **IDENTITY}, *events])
    (tmp_path / EVENTS_FILE).write_text(text)
    history = History.read(tmp_path)
    assert history.spent == 65.0 and not history.searched
    assert history.wall_seconds == pytest.approx(60 + 40 + 1, abs=1)
    assert history.space["budget"]["trials"] == 20


def test_a_clock_that_is_set_back_leaves_a_folder_that_can_be_read(tmp_path: Path) -> None:
    EventLog.begin(tmp_path, {"space": {"budget": {}}})
    with (tmp_path / EVENTS_FILE).open("a") as file:
        for kind, at in (("sitting", 100.0), ("tick", 40.0)):
            file.write(json.dumps({"kind": kind, "at": at, "spent": 1.0, "began": 100.0}) + "\n")
    assert History.read(tmp_path).wall_seconds == 0
    results: Any = Results(tmp_path)
    results.write_manifest({"state": "running"})
    log = SimpleNamespace(is_lost=False)
    _record_end(
        SimpleNamespace(results=results, log=log, history=History(identity={})),  # type: ignore[arg-type]
        "finished",
        time.time() + 3600,
        earlier=5.0,
    )
    assert results.manifest()["wall_seconds"] == 5
    results.update_manifest(wall_seconds=-3.5)  # as earlier versions wrote it
    assert results.manifest()["wall_seconds"] == -3.5


def test_the_clock_continues_from_earlier_sessions_and_stops_outside(tmp_path: Path) -> None:
    new_log(tmp_path)
    later = EventLog(tmp_path, spent=100.0)
    later.append("tick")
    assert History.read(tmp_path).spent == 100.0, "outside a search's stage it stands still"
    with later.clock():
        assert later.spent() > 100.0
    assert 100.0 < later.spent() == later.spent()
    searcher = StudySearcher(SPACE, later, deadline_s=100.0)
    assert searcher.out_of_time() and searcher.suggest("a") == Searcher.FINISHED


def test_when_earlier_sessions_used_up_the_time_what_ran_continues_and_nothing_more_is_asked(
    tmp_path: Path,
) -> None:
    log = new_log(tmp_path)
    asked(log)
    with log.clock():
        log.append("tick")
    later = EventLog(tmp_path, spent=3601.0)
    later.append("tick")
    history = History.read(tmp_path)
    log = EventLog(tmp_path, spent=history.spent)
    searcher = StudySearcher(SPACE, log, deadline_s=3600.0, history=history)
    assert searcher.remaining == 1
    served = searcher.suggest("a")
    assert isinstance(served, dict) and served["run"]["number"] == 0
    assert searcher.suggest("b") == Searcher.FINISHED


def test_numbers_that_the_log_gave_to_confirmation_runs_stay_theirs(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    config = SPACE.config("densenet161", {"unfreeze_depth": 1}).as_dict()
    choices = [
        {"arm": arm, "replicate": 0, "config": {**config, "backbone": arm}}
        for arm in ("densenet161", "resnet152")
    ]
    trials = pd.DataFrame({"trial": [0], "cohort": ["tpe"], "test_macro_f1": [math.nan]})
    whole = number_runs(choices, 2, 14)
    runs = missing_runs(SPACE, whole, 2, trials)
    assert [run.number for run in runs] == [14, 15, 16, 17]
    for killed_after in range(5):
        # Of them the log has some, in this order, and the manifest knows none.
        logged = sorted(runs, key=lambda run: run.number)[:killed_after]
        first = 14 + killed_after
        assert number_runs(known_runs(choices, logged), 2, first) == whole
    for run in runs[:3]:
        log.append("asked", planned="confirm", run=run.as_dict())
    logged = [run.assignment for run in History.read(tmp_path).runs.values()]
    assert number_runs(known_runs(choices, logged), 2, 17) == whole
