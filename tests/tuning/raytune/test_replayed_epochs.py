"""A run whose newest checkpoint is behind its reports trains those epochs again, to no effect."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import ray

from fer_tune.storage import AnyPath
from fer_tune.tuning.log.events import History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.monitor.recorder import reason_of
from fer_tune.tuning.raytune import trainable
from tests.object_store import ObjectStore
from tests.tuning.raytune.replayed_run import (
    EPOCHS,
    TRIAL,
    Driver,
    Machine,
    complete,
    play,
    scalars,
    trained,
)
from tests.tuning.raytune.test_checkpoints import RUN, VALUES


@pytest.fixture(autouse=True, scope="module")
def light_processes() -> Iterator[None]:
    # Collecting garbage takes a second where as much is imported as in tests.
    with patch.object(ray._raylet, "setproctitle"), patch.object(trainable, "_release_memory"):
        yield


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, interval_s=3600.0)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    folder = tmp_path_factory.mktemp("undisturbed")
    driver = Driver(folder, folder)
    complete(driver, Machine(folder, interval_s=3600.0).process())
    return driver


def same(one: Driver, other: Driver) -> None:
    """Records, log, rungs and TensorBoard are equal but for times."""
    times = ["started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds"]
    times += ["replayed_epochs"]
    for table in ("trials", "epochs", "confusion"):
        left, right = (
            driver.recorder.results.read(table).drop(columns=times, errors="ignore")  # type: ignore[arg-type]
            for driver in (one, other)
        )
        assert len(left) and left.equals(right), table
    assert one.asha.rungs() == other.asha.rungs() != {}
    for driver in (one, other):
        read = History.read(driver.folder).runs[RUN.number]
        assert read.results == driver.run.results and read.replayed == driver.run.replayed
        assert [result["epoch"] for result in read.results] == list(range(1, EPOCHS + 1))
        assert [s.step for s in scalars(driver)] == list(range(1, EPOCHS + 1))
    assert not (other.folder / "checkpoints" / "000003").exists()


#: Epochs that were reported when the process died, and the one that was saved last.
KILLS = [(0, 0), (1, 0), (1, 1), (2, 0), (3, 1), (4, 2), (5, 0), (5, 4)]


@pytest.mark.parametrize(("killed", "saved"), KILLS)
@pytest.mark.parametrize("driver_too", [False, True])
def test_a_process_that_dies_costs_epochs_but_no_record(
    undisturbed: Driver, machine: Machine, tmp_path: Path, killed: int, saved: int, driver_too: bool
) -> None:
    driver = Driver(tmp_path, tmp_path)
    trained(driver, machine.process(), killed, saved)
    if driver_too:
        driver = Driver(tmp_path, tmp_path)
    complete(driver, machine.process())
    same(undisturbed, driver)
    assert driver.run.replayed == killed - saved
    replayed = driver.recorder.results.read("trials")["replayed_epochs"].tolist()
    assert replayed == [killed - saved]
    assert driver.console.getvalue() == ""


@pytest.mark.parametrize("saved", [2, 3])
def test_a_report_that_the_driver_never_saw_is_no_replay(
    undisturbed: Driver, machine: Machine, tmp_path: Path, saved: int
) -> None:
    driver, first = Driver(tmp_path, tmp_path), machine.process()
    trained(driver, first, 2, saved=2)
    first.step()  # the driver dies before it gets this
    if saved == 3:
        first._writer.flush()
    driver = Driver(tmp_path, tmp_path)
    reports = complete(driver, machine.process())
    assert [report["epoch"] for report in reports] == list(range(saved, EPOCHS + 1))
    assert reports[0]["restored"] and not any(r.get("restored") for r in reports[1:])
    same(undisturbed, driver)
    assert driver.run.replayed == 0


@pytest.mark.parametrize("lost", [False, True])
def test_a_run_that_has_ended_is_not_trained_again(
    undisturbed: Driver, machine: Machine, tmp_path: Path, lost: bool
) -> None:
    """Its last report is on the disk before it is made, whatever the interval."""
    driver, process = Driver(tmp_path, tmp_path), machine.process()
    trained(driver, process, EPOCHS - 1)
    last = process.step()
    assert last["done"] and last["checkpointed"]
    if lost:
        driver = Driver(tmp_path, tmp_path)
        reports = complete(driver, machine.process())
        assert [(r["epoch"], r["restored"]) for r in reports] == [(EPOCHS, True)]
    else:
        driver.receive(last)
    same(undisturbed, driver)
    assert driver.run.replayed == 0


def test_several_deaths_add_up_over_sessions(
    undisturbed: Driver, machine: Machine, tmp_path: Path
) -> None:
    driver = Driver(tmp_path, tmp_path)
    trained(driver, machine.process(), 3, saved=1)
    trained(driver, machine.process(), 3)  # epoch 1 again, then 2 and 3 trained again
    driver = Driver(tmp_path, tmp_path)
    complete(driver, machine.process())
    same(undisturbed, driver)
    assert driver.run.replayed == 2 + 2


def test_a_damaged_newest_checkpoint_costs_what_lies_behind_the_one_before(
    undisturbed: Driver, machine: Machine, tmp_path: Path
) -> None:
    driver, first = Driver(tmp_path, tmp_path), machine.process()
    for epoch in range(1, 5):
        driver.receive(first.step())
        if epoch in (1, 3):
            first._writer.flush()
    (tmp_path / "checkpoints/000003/0003/curve.json").write_text('[{"epoch"')
    complete(driver, machine.process())
    same(undisturbed, driver)
    assert driver.run.replayed == 3


def test_an_error_in_an_epoch_costs_that_epoch_alone(
    undisturbed: Driver, machine: Machine, tmp_path: Path
) -> None:
    driver, first = Driver(tmp_path, tmp_path), machine.process(play(crash_at=4))
    trained(driver, first, 3)
    with pytest.raises(RuntimeError, match="recorded crash"):
        first.step()
    complete(driver, machine.process())
    same(undisturbed, driver)
    assert driver.run.replayed == 0


@pytest.mark.parametrize("at_url", [False, True])
def test_a_short_interval_ends_alike(
    undisturbed: Driver, tmp_path: Path, at_url: bool, request: pytest.FixtureRequest
) -> None:
    """Writes run into each other, and the driver removes what is being written."""
    folder: AnyPath = tmp_path
    if at_url:
        store: ObjectStore = request.getfixturevalue("store")
        folder = store.folder("checkpoints/short-interval")
    driver, machine = Driver(folder, tmp_path), Machine(folder, interval_s=1e-6)
    first = machine.process()
    trained(driver, first, 4)
    assert first._writer.wait(20)
    reports = complete(driver, machine.process())
    assert reports[0]["restored"] and reports[0]["epoch"] >= 1
    same(undisturbed, driver)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, logger="fer_tune"):
        yield caplog


OTHER = [0.1, 0.21, 0.3, 0.25, 0.4, 0.35]


@pytest.mark.parametrize("gpu", [0.0, 0.5])
def test_an_epoch_that_differs_is_reported_with_both_values_and_the_first_kept(
    undisturbed: Driver,
    machine: Machine,
    tmp_path: Path,
    gpu: float,
    logged: pytest.LogCaptureFixture,
) -> None:
    driver = Driver(tmp_path, tmp_path, gpu=gpu)
    trained(driver, machine.process(), 3, saved=1)
    complete(driver, machine.process(play(values=OTHER)))
    rows = driver.recorder.results.read("epochs")
    assert rows["val_macro_f1"].tolist() == VALUES
    assert [s.value for s in scalars(driver)] == pytest.approx(VALUES)
    (logged_once,) = [r for r in logged.records if "differs" in r.getMessage()]
    text = logged_once.getMessage()
    assert f"{RUN.name} epoch 2" in text and "val_macro_f1: 0.2 → 0.21" in text
    assert logged_once.levelno == (logging.INFO if gpu else logging.WARNING)
    assert ("0.2 → 0.21" in driver.console.getvalue()) == (not gpu), "GPUs are not deterministic"
    events = (tmp_path / "events.jsonl").read_text()
    assert events.count('"equal": false') == 1 and events.count('"equal": true') == 1


def test_values_that_are_not_finite_are_equal_to_themselves(
    machine: Machine, tmp_path: Path
) -> None:
    """Divergence is decided at the same epoch again."""
    losses = [1.0, 0.9, 0.8, math.nan, 0.7, 0.6]
    driver = Driver(tmp_path, tmp_path)
    player = play(val_loss=losses)
    trained(driver, machine.process(player), 3, saved=1)
    complete(driver, machine.process(player))
    assert driver.run.replayed == 2 and driver.console.getvalue() == ""
    assert reason_of(driver.run) == "diverged" and driver.run.epochs == 4


ENDS = {
    "oom": play(oom_at=3),
    "oom at the first": play(oom_at=2),
    "diverged": play(val_loss=[1.0, 0.9, math.inf, 1, 1, 1]),
    "diverged at the last reported": play(val_loss=[1.0, 0.9, 0.8, 0.7, math.inf, 1]),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_end_before_the_last_report_keeps_the_reported_curve(
    machine: Machine, tmp_path: Path, end: str
) -> None:
    """On a GPU an epoch is not the same twice, and memory may run out another time."""
    driver = Driver(tmp_path, tmp_path, gpu=1.0)
    trained(driver, machine.process(), 5, saved=1)
    complete(driver, machine.process(ENDS[end]))
    reason = end.split()[0]
    for run in (driver.run, History.read(tmp_path).runs[RUN.number]):
        assert run.done and reason_of(run) == reason
        assert run.epochs == run.last["epochs"] == 5
    (row,) = driver.recorder.results.read("trials").to_dict("records")
    assert (row["state"], row["epochs"], row["best_epoch"]) == (reason, 5, 5)
    assert row["best_val_macro_f1"] == max(VALUES[:5])
    assert driver.recorder.results.read("epochs")["val_macro_f1"].tolist() == VALUES[:5]
    # And a resume takes it for ended.
    later = Driver(tmp_path, tmp_path, gpu=1.0)
    assert later.run.ended and reason_of(later.run) == reason


def test_an_end_without_its_share_sets_no_limit_after_a_resume(tmp_path: Path) -> None:
    run = RunHistory(assignment=RUN, planned="tpe")
    run.add_result({"epoch": 1, "epochs": 1, "ran": True, "oom_had_share": None}, done=False)
    run.add_result({"epoch": 2, "epochs": 2, "ran": True, "oom_had_share": None}, done=False)
    end = {"epoch": 1, "epochs": 1, "ran": False, "stop_reason": "oom", "oom_had_share": False}
    assert run.as_end(end)["oom_had_share"] is False


def test_a_full_disk_is_the_next_steps_error(machine: Machine, tmp_path: Path) -> None:
    process = machine.process()
    process.step()
    folder = tmp_path / "checkpoints/000003"
    real = process._checkpoints.save

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(folder))

    process._checkpoints.save = full  # type: ignore[method-assign]
    process._writer._due = 0.0
    assert "disk_fault" not in process.step()
    assert process._writer.wait(20)
    result = process.step()
    assert result["disk_fault"] == [28, "No space left on device", str(folder)] and result["done"]
    with pytest.raises(OSError, match="No space left"):
        Driver(tmp_path, tmp_path).recorder.on_trial_result(TRIAL, result)
    process._checkpoints.save = real  # type: ignore[method-assign]
    assert machine.process().step()["epoch"] == 1, "nothing had been saved"


def test_a_reused_process_waits_for_the_pending_write(machine: Machine, tmp_path: Path) -> None:
    process = machine.process()
    process.step()
    process._writer._write_newest()
    other = replace(RUN, number=12)
    process.reset_config({"run": other.as_dict()})
    assert not (tmp_path / "checkpoints/000003").exists(), "that run has ended"
    process.step()
    process._writer.flush()
    assert (tmp_path / "checkpoints/000012/0001").is_dir()


def test_on_a_drained_machine_every_epoch_is_saved_also_of_later_runs(
    machine: Machine, tmp_path: Path
) -> None:
    process = machine.process()
    process.step()
    process._hurry()
    assert process._writer.wait(20)
    assert (tmp_path / "checkpoints/000003/0001").is_dir(), "in the middle of epoch 2"
    assert process.step()["checkpointed"]
    process.reset_config({"run": replace(RUN, number=12).as_dict()})
    assert process.step()["checkpointed"]
