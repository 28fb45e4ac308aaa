"""The event log: cut anywhere, it restores a search that continues as if never stopped."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.session import _record_end
from fer_tune.tuning.studies.asha import StudyAsha
from fer_tune.tuning.studies.confirmation import known_runs, missing_runs, number_runs
from fer_tune.tuning.studies.regret_audit import RegretAudit
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space

SPACE = make_space(
    budget={"trials": 14, "max_epochs": 4},
    scheduler={"kind": "asha", "grace_epochs": 1, "reduction_factor": 2},
    cohorts={
        "random": 0.4,
        "baseline": [{"unfreeze_depth": 5, "crop_size": 48, "lr_head": 1e-3}],
    },
)
IDENTITY = {"schema_version": 1, "fingerprint": "f", "space": SPACE.as_dict()}


def reports(run: Assignment) -> list[dict[str, Any]]:
    """What a run reports, from its number and configuration alone; every kind of end occurs."""
    best, results = 0.0, []
    for epoch in range(1, 5):
        value = abs(math.sin(run.number * 7 + math.log(run.config.lr_head) * epoch))
        best = max(best, value)
        reason = "completed" if epoch == 4 else None
        result = {"epoch": epoch, "val_macro_f1": value, "score": best, "ran": True}
        if run.number in (3, 8) and epoch == 2:
            reason = "overfit"
        if run.number == 2 and epoch == 2:
            reason, result["val_macro_f1"] = "diverged", math.nan
        if (run.number, epoch) in (
            (5, 2),
            (12, 4),
        ):  # the last of its arm: no wall shuts others out
            reason, result = "oom", {"epoch": epoch - 1, "ran": False, "score": best}
        results.append({**result, "stop_reason": reason})
        if reason:
            return results
    return results


class Driver:
    """What Ray does with searcher, scheduler and recorder, ``asked`` runs in hand, one at a time.

    Args:
        history: of the previous session, whose runs report their last epoch again, as actors do.
        share: of the trials that ASHA would stop that are audited instead.
    """

    def __init__(
        self, folder: Path, asked: int, history: History | None = None, share: float = 0.5
    ) -> None:
        self.history = history or History(identity=IDENTITY)
        self.log = EventLog(folder) if history else EventLog.begin(folder, IDENTITY)
        audit = RegretAudit(self.log, self.history, share=share, seed=0)
        self.asha = StudyAsha(max_epochs=4, grace_epochs=1, reduction_factor=2, audit=audit)
        self.asha.replay(self.history.trials)
        self.searcher = StudySearcher(SPACE, self.log, history=self.history)
        self.proposed = {n: run.assignment for n, run in self.history.runs.items()}
        self._asked = asked

    def drive(self) -> Driver:
        waiting: list[Assignment] = []
        while True:
            while len(waiting) < self._asked:
                asked = self.searcher.suggest(f"t{len(self.searcher.assignments)}")
                if asked == Searcher.FINISHED:
                    break
                assert isinstance(asked, dict)
                waiting.append(Assignment.from_dict(asked["run"]))
            if not waiting:
                self.log.append("searched")
                return self
            run = waiting.pop(0)
            self.proposed[run.number] = run
            self._train(run)

    def _train(self, run: Assignment) -> None:
        known = self.history.run(run)
        trial_id = next(t for t, a in self.searcher.assignments.items() if a == run)
        for result in reports(run)[max(0, known.epochs - 1) :]:
            if run.number in (1, 11) and result["epoch"] == 3:
                known.failed = True
                self.log.append("failed", trial=run.number, fault="")
                self.searcher.on_trial_complete(trial_id, None, error=True)
                return
            # Ray does not ask the scheduler about a run that says itself that it has ended.
            done = result["stop_reason"] is not None
            done = done or self.asha.judge(run, result) == TrialScheduler.STOP
            if not done:
                self.searcher.on_trial_result(trial_id, result)
            if known.add_result(result, done=done):
                self.log.append("epoch", trial=run.number, result=result, done=done)
            if done:
                self.asha.enter(run, result)
                self.searcher.on_trial_complete(trial_id, result)
                return

    def outcome(self) -> dict[str, Any]:
        """All that a search comes to, but for the order of studies' own trial numbers."""
        return {
            "runs": self.proposed,
            "rungs": self.asha.rungs(),
            "audited": {n: self.history.audited_at(n) for n in self.proposed},
            "walls": [
                self.searcher.oom_limits.excludes(r.arm, r.config) for r in self.proposed.values()
            ],
            "told": {
                s.name: [
                    (t.user_attrs, t.state, t.params, t.intermediate_values) for t in s.ended()
                ]
                for s in self.searcher.studies
            },
            "left": self.searcher.remaining,
        }


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
    for key in ("runs", "rungs", "told", "left"):
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
    told = {attrs["trial"]: rest for s in audited["told"].values() for attrs, *rest in s}
    for number, run in taken.items():
        state, _, values = told[number]
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
    told = lambda: searcher.studies[0].study.trials[0].state  # noqa: E731
    assert searcher.assignments["t0"] == run and told() == TrialState.RUNNING
    searcher.on_trial_complete("t0", None, error=True)
    assert told() == TrialState.PRUNED


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


# -- one event after the other ------------------------------------------------------------------


def new_log(folder: Path) -> EventLog:
    return EventLog.begin(folder, IDENTITY)


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


def asked(log: EventLog, number: int = 0) -> Assignment:
    run = Assignment(
        number=number,
        arm="densenet161",
        replicate=0,
        cohort="random",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=SPACE.config("densenet161", {"unfreeze_depth": 1}),
    )
    log.append("asked", planned="tpe", run=run.as_dict())
    return run


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


def test_the_space_that_a_log_holds_is_that_of_the_search(lived: Any, tmp_path: Path) -> None:
    _, log, _ = lived
    (tmp_path / EVENTS_FILE).write_bytes(log)
    assert SearchSpace.from_dict(History.read(tmp_path).space) == SPACE
