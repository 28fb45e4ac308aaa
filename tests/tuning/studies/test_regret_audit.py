"""The regret audit without Ray: which trials are drawn, what the rungs see, how it is reported."""

from __future__ import annotations

import math
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from ray.tune.schedulers import TrialScheduler
from rich.console import Console

from fer_tune.records import Results
from fer_tune.space import TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.monitor.progress import Progress
from fer_tune.tuning.monitor.recorder import Recorder, reason_of, state_of
from fer_tune.tuning.studies.asha import StudyAsha, make_scheduler
from fer_tune.tuning.studies.confirmation import choose
from fer_tune.tuning.studies.regret_audit import RegretAudit, is_drawn
from tests.tuning.conftest import make_space

STOP, GO = TrialScheduler.STOP, TrialScheduler.CONTINUE


def assignment(number: int) -> Assignment:
    return Assignment(
        number=number,
        arm="a",
        replicate=0,
        cohort="tpe",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=TrialConfig(backbone="resnet18"),
    )


def trial(number: int, **more: Any) -> Any:
    return SimpleNamespace(config={"run": assignment(number).as_dict()}, last_result={}, **more)


class Judge:
    """ASHA with rungs at 1, 3 and 9, three strong trials (0 to 2) in the first."""

    def __init__(self, folder: Path, share: float) -> None:
        self.folder, self.history = folder, History(identity={})
        self.log = EventLog.begin(folder, {})
        audit = RegretAudit(self.log, self.history, share=share, seed=0)
        self.asha = StudyAsha(max_epochs=9, grace_epochs=1, reduction_factor=3, audit=audit)
        for number in range(3):
            assert self.report(number, 1, 0.9) == GO

    def report(self, number: int, epoch: int, score: float) -> str:
        return self.asha.judge(assignment(number), {"epoch": epoch, "score": score})

    def events(self) -> list[tuple[int, int]]:
        lines = pd.read_json(self.folder / "events.jsonl", lines=True)
        if "kind" not in lines:
            return []
        found = lines[lines["kind"] == "audited"]
        return [(int(t), int(e)) for t, e in zip(found["trial"], found["epoch"], strict=True)]


def test_the_draw_depends_on_seed_and_number_and_keeps_its_share() -> None:
    drawn = {s: {n for n in range(4000) if is_drawn(n, share=s, seed=3)} for s in (0, 0.05, 0.5, 1)}
    assert len(drawn[0]) == 0 and len(drawn[1]) == 4000
    assert 150 < len(drawn[0.05]) < 250 and 1900 < len(drawn[0.5]) < 2100
    assert drawn[0.05] < drawn[0.5], "a larger share audits the same trials and more"
    assert drawn[0.5] != {n for n in range(4000) if is_drawn(n, share=0.5, seed=4)}


@pytest.mark.parametrize(("share", "decision"), [(0.0, STOP), (1.0, GO)])
def test_a_trial_that_would_be_stopped_is_audited_or_not(
    tmp_path: Path, share: float, decision: str
) -> None:
    judge = Judge(tmp_path, share)
    assert judge.report(3, 1, 0.1) == decision
    assert judge.events() == ([(3, 1)] if share else [])
    assert judge.history.audited_at(3) == (1 if share else None)
    assert judge.history.audited_at(0) is None, "one that was never to be stopped is none"


def test_what_an_audited_trial_reports_later_enters_no_rung(tmp_path: Path) -> None:
    (tmp_path / "audits").mkdir()
    (tmp_path / "stops").mkdir()
    audits, stops = Judge(tmp_path / "audits", 1.0), Judge(tmp_path / "stops", 0.0)
    for judge in (audits, stops):
        judge.report(3, 1, 0.1)
    # It would be the best at every later rung.
    assert [audits.report(3, epoch, 0.99) for epoch in (1, 2, 3, 9)] == [GO] * 4
    assert audits.events() == [(3, 1)], "it is taken once"
    assert audits.asha.rungs() == stops.asha.rungs()
    assert audits.asha.rungs()["a/0"][1][3] == 0.1
    for judge in (audits, stops):
        assert [judge.report(number, 3, 0.5) for number in range(3)] == [GO] * 3
    assert audits.asha.rungs() == stops.asha.rungs()


def test_a_trial_that_ends_by_itself_at_a_rung_is_not_audited(tmp_path: Path) -> None:
    judge = Judge(tmp_path, 1.0)
    judge.asha.on_trial_complete(None, trial(3), {"epoch": 1, "score": 0.1})
    assert judge.events() == [] and judge.asha.rungs()["a/0"][1][3] == 0.1


def test_an_audit_noted_before_its_report_is_neither_repeated_nor_undone(tmp_path: Path) -> None:
    judge = Judge(tmp_path, 0.0)  # by the draw it would be stopped: the log alone decides
    judge.history.run(assignment(3)).audited_at = 1
    assert judge.report(3, 1, 0.1) == GO and judge.events() == []
    assert judge.asha.rungs()["a/0"][1][3] == 0.1, "that epoch enters as it would have"


def test_recalled_rungs_leave_out_what_came_after_the_audit() -> None:
    run = RunHistory(assignment=assignment(3), planned="tpe", audited_at=1)
    for epoch, score in ((1, 0.1), (2, 0.9), (3, 0.99)):
        run.add_result({"epoch": epoch, "score": score, "ran": True}, done=False)
    asha = StudyAsha(max_epochs=9, grace_epochs=1, reduction_factor=3)
    asha.replay([run])
    assert asha.rungs() == {"a/0": {9: {}, 3: {}, 1: {3: 0.1}}}


def test_without_asha_there_is_no_audit(tmp_path: Path) -> None:
    log, history = EventLog.begin(tmp_path, {}), History(identity={})
    audit = RegretAudit(log, history, share=1.0, seed=0)
    fifo = make_scheduler(make_space(scheduler={"kind": "none"}), audit)
    for number in range(9):
        result = {"epoch": 1, "score": -number}
        assert fifo.on_trial_result(None, trial(number), result) == GO
    assert all(history.audited_at(number) is None for number in range(9))


# -- records ------------------------------------------------------------------------------------


def ended(reason: str | None, audited_at: int | None, *, failed: bool = False) -> RunHistory:
    run = RunHistory(assignment=assignment(3), planned="tpe", audited_at=audited_at, failed=failed)
    last = {"epoch": 5, "ran": True, "stop_reason": reason, "best_val_macro_f1": 0.99}
    run.results.append(
        {**last, "epochs": 5, "best_epoch": 4, "epoch_seconds": 1.0, "best_counts": [[1]]}
    )
    run.done = not failed
    return run


@pytest.mark.parametrize(
    ("reason", "audited_at", "failed", "told", "state"),
    [
        (None, None, False, "asha", "pruned"),
        ("completed", None, False, "completed", "complete"),
        ("oom", None, False, "oom", "oom"),
        (None, None, True, "error", "failed"),
        ("completed", 2, False, "asha/completed", "pruned"),
        ("overfit", 2, False, "asha/overfit", "pruned"),
        ("diverged", 2, False, "asha/diverged", "pruned"),
        ("oom", 2, False, "asha/oom", "pruned"),
        (None, 2, True, "asha/error", "pruned"),
    ],
)
def test_the_reason_keeps_both_facts(
    reason: str | None, audited_at: int | None, failed: bool, told: str, state: str
) -> None:
    assert reason_of(ended(reason, audited_at, failed=failed)) == told
    assert state_of(told) == state


def test_the_row_covers_the_whole_run_and_is_never_chosen(tmp_path: Path) -> None:
    results, history = Results(tmp_path), History(identity={})
    history.runs[3] = ended("completed", 2)
    log = EventLog.begin(tmp_path, {})
    Recorder(results, log, history, classes=("x",), gpu=0, cpu=1).repair()
    row = results.read("trials").iloc[0]
    assert (row["state"], row["stop_reason"], row["audit_epoch"]) == ("pruned", "asha/completed", 2)
    assert (row["epochs"], row["best_epoch"], row["best_val_macro_f1"]) == (5, 4, 0.99)
    assert choose(results.read("trials"), "macro_f1") == []
    history.runs[4] = ended("completed", None)
    history.runs[4].assignment = assignment(4)
    Recorder(results, log, history, classes=("x",), gpu=0, cpu=1).repair()
    trials = results.read("trials")
    assert math.isnan(trials["audit_epoch"].iloc[1])
    assert [c["trial"] for c in choose(trials, "macro_f1")] == [4]


# -- on the terminal ----------------------------------------------------------------------------


def test_the_table_says_why_a_trial_that_lags_still_runs(tmp_path: Path) -> None:
    out, history = StringIO(), History(identity={})
    console = Console(file=out, width=200)
    progress = Progress(console, Results(tmp_path), total=2, title="search", history=history)
    report = {"val_macro_f1": 0.1, "best_val_macro_f1": 0.1}
    progress.on_trial_result(trial(3), {"epoch": 1, **report})
    history.run(assignment(3)).audited_at = 2
    progress.on_trial_result(trial(3), {"epoch": 2, **report})
    head = next(iter(progress._render().renderables))
    assert "0 of 2 ended" in str(head)
    progress.on_trial_complete(trial(3))
    states = [line.rpartition("state ")[2] for line in out.getvalue().splitlines()]
    assert states == ["running", "audited", "pruned"]
    assert "1 of 2 ended" in str(next(iter(progress._render().renderables)))


def test_a_table_after_a_resume_shows_audited_trials_as_such(tmp_path: Path) -> None:
    going = ended(None, 2)
    going.done = False
    progress = Progress(
        Console(file=StringIO()), Results(tmp_path), total=1, title="", earlier=[going]
    )
    assert progress._rows[3].state == "audited"
