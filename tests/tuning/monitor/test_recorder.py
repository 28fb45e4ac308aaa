"""Rows of a running trial may be behind the log; nothing that was reported is lost."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from fer_tune.records import SCHEMAS, Results
from fer_tune.space import TrialConfig
from fer_tune.storage import AnyPath
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.monitor import recorder as module
from fer_tune.tuning.monitor.recorder import Recorder

EPOCHS = 5


def run_of(number: int) -> dict[str, Any]:
    return Assignment(
        number=number,
        arm="a",
        replicate=0,
        cohort="tpe",
        seed=number,
        weights_seed=0,
        view_seed=0,
        config=TrialConfig(backbone="resnet18"),
    ).as_dict()


def report_of(number: int, epoch: int) -> dict[str, Any]:
    value = 0.1 * epoch + 0.01 * number
    floats = {f.name: value for f in SCHEMAS["epochs"] if f.type == "double"}
    done = epoch == EPOCHS
    return {
        **floats,
        "epoch": epoch,
        "ran": True,
        "bank_hits": 1,
        "bank_misses": 0,
        "epoch_seconds": 2.0 * epoch,
        "epoch_peak_memory_mib": 100.0 * epoch,
        "done": done,
        "stop_reason": "completed" if done else None,
        "score": value,
        "epochs": epoch,
        "max_epochs": EPOCHS,
        "best_epoch": epoch,
        "best_counts": [[epoch, 0], [1, 2]],
    }


class Session:
    """One process: a recorder that is given reports as Ray gives them."""

    def __init__(self, folder: Path) -> None:
        self.results = Results(folder)
        self.log = EventLog(folder)
        self.history = History.read(folder)
        self.recorder = Recorder(
            self.results, self.log, self.history, classes=("x", "y"), gpu=0.0, cpu=1.0
        )

    def ask(self, number: int) -> None:
        self.log.append("asked", planned="tpe", run=run_of(number))

    def report(self, number: int, epoch: int) -> None:
        trial: Any = SimpleNamespace(config={"run": run_of(number)})
        result = report_of(number, epoch)
        self.recorder.on_trial_result(trial, result)
        if result["done"]:
            self.recorder.on_trial_complete(trial)
        self.recorder.on_step_end()

    def settle(self) -> None:
        """Waits for the thread that writes rows."""
        self.recorder._rows.close()

    def written(self) -> dict[int, list[int]]:
        self.settle()
        return written(self.results.root)


def written(folder: AnyPath) -> dict[int, list[int]]:
    """Epochs in the table, by trial."""
    frame = Results(folder).read("epochs")
    return {int(n): rows["epoch"].tolist() for n, rows in frame.groupby("trial")}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.fixture
def session(tmp_path: Path, clock: SimpleNamespace) -> Session:
    EventLog.begin(tmp_path, {"space": {"budget": {}}})
    return Session(tmp_path)


def test_rows_follow_the_log_after_a_while(
    session: Session, tmp_path: Path, clock: SimpleNamespace
) -> None:
    for number in (0, 1):
        session.ask(number)
    session.report(0, 1)
    session.report(0, 2)
    assert session.written() == {}
    assert History.read(tmp_path).runs[0].epochs == 2, "the log has every report at once"
    clock.seconds += module.ROWS_INTERVAL_S / 2
    session.report(1, 1)
    clock.seconds += module.ROWS_INTERVAL_S / 2
    session.recorder.on_step_end()
    assert session.written() == {0: [1, 2]}, "the first report waits no longer than the interval"
    session.report(0, 3)
    assert session.written() == {0: [1, 2]}
    clock.seconds += module.ROWS_INTERVAL_S
    session.recorder.on_step_end()
    assert session.written() == {0: [1, 2, 3], 1: [1]}


@pytest.mark.parametrize("slow", [True, False])
def test_ended_runs_have_all_rows(
    session: Session, tmp_path: Path, clock: SimpleNamespace, slow: bool
) -> None:
    session.ask(0)
    for epoch in range(1, EPOCHS + 1):
        session.report(0, epoch)
        clock.seconds += 60 if slow else 0
    assert session.written() == {0: list(range(1, EPOCHS + 1))}
    frame = Results(tmp_path).read("epochs")
    assert frame["seconds"].tolist() == [2.0 * e for e in range(1, EPOCHS + 1)]
    assert Results(tmp_path).read("trials")["state"].tolist() == ["complete"]


def test_an_interruption_leaves_all_rows(session: Session, tmp_path: Path) -> None:
    session.ask(0)
    session.report(0, 1)
    session.recorder.close()
    session.recorder.close()
    assert session.written() == {0: [1]}


def undisturbed(folder: Path) -> dict[str, pd.DataFrame]:
    EventLog.begin(folder, {"space": {"budget": {}}})
    session = Session(folder)
    play(session, range(2 * EPOCHS))
    session.settle()
    return tables(folder)


def play(session: Session, instants: range) -> None:
    """Two trials in turn; what the log has already is reported again, as by a restarted run."""
    for number in (0, 1):
        if number not in session.history.runs:
            session.ask(number)
    for instant in instants:
        session.report(instant % 2, 1 + instant // 2)


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: Results(folder).read(name) for name in ("trials", "epochs", "confusion")}


@pytest.mark.parametrize("rows", ["written", "not yet written"])
@pytest.mark.parametrize("instant", range(0, 2 * EPOCHS + 1))
def test_a_kill_at_any_instant_loses_no_row(
    session: Session,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    instant: int,
    rows: str,
) -> None:
    """A killed process closes nothing: its folder is left as it is."""
    play(session, range(max(0, instant - 1)))
    session.settle()
    if rows == "not yet written":
        session.recorder._rows.abandon()
    play(session, range(max(0, instant - 1), instant))
    session.settle()
    left = tmp_path_factory.mktemp("killed") / "left"
    shutil.copytree(tmp_path, left)
    again = Session(left)
    again.recorder.repair()
    reported = {n: list(range(1, r.epochs + 1)) for n, r in again.history.runs.items() if r.epochs}
    assert again.written() == reported
    play(again, range(max(0, instant - 2), 2 * EPOCHS))
    again.settle()
    expected = undisturbed(tmp_path_factory.mktemp("undisturbed"))
    for name, frame in tables(left).items():
        # How many epochs were reported again is what the kill has cost.
        columns = frame.columns.drop("replayed_epochs", errors="ignore")
        pd.testing.assert_frame_equal(frame[columns], expected[name][columns])


def full(*args: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_nothing_is_written_after_the_log_has_failed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.ask(0)
    session.report(0, 1)
    monkeypatch.setattr(session.log, "_lines", SimpleNamespace(append=full))
    with pytest.raises(OSError, match="No space"):
        session.report(0, 2)
    session.recorder.close()
    assert session.written() == {}, "another process may write there by now"


def test_an_error_of_the_thread_ends_the_search_at_the_next_step(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.ask(0)
    monkeypatch.setattr(session.results, "append", full)
    with pytest.raises(OSError, match="No space"):
        for epoch in range(1, EPOCHS + 1):
            session.report(0, epoch)
        session.recorder._rows._thread.join(timeout=0.5)  # type: ignore[union-attr]
        session.recorder.on_step_end()
    session.recorder.close()  # raised once


def test_an_error_of_the_last_write_is_not_lost(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.ask(0)
    session.report(0, 1)
    monkeypatch.setattr(session.results, "append", full)
    with pytest.raises(OSError, match="No space"):
        session.recorder.close()
    session.recorder.close()
