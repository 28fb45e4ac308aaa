"""Checkpoints written by a thread: one at a time, the newest, when due or in a hurry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.raytune.worker.writer import CheckpointWriter, RunState
from tests.tuning.raytune.test_checkpoints import _write, found


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """A write that waits until it is let through."""

    def __init__(self, state: Callable[[Path], None]) -> None:
        self.reached, self.opened, self._state = threading.Event(), threading.Event(), state

    def __call__(self, folder: Path) -> None:
        self.reached.set()
        assert self.opened.wait(20)
        self._state(folder)


def state(epoch: int, write: Callable[[Path], None] | None = None) -> RunState:
    plain = lambda folder: _write(folder, f"state {epoch}")  # noqa: E731
    return RunState(epoch=epoch, result={"epoch": epoch}, write=write or plain)


def gate(epoch: int) -> Gate:
    return Gate(lambda folder: _write(folder, f"state {epoch}"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path, 3)


@pytest.fixture
def writer(checkpoints: Checkpoints, clock: Clock) -> CheckpointWriter:
    return CheckpointWriter(checkpoints, interval_s=60.0, clock=clock)


def epochs(checkpoints: Checkpoints) -> list[int]:
    return [epoch for epoch, text in found(checkpoints) if text == f"state {epoch}"]


def test_one_is_written_an_interval_after_the_beginning_and_after_the_last(
    writer: CheckpointWriter, checkpoints: Checkpoints, clock: Clock
) -> None:
    written = []
    for epoch, clock.now in enumerate([10, 59, 61, 70, 119, 121, 130], start=1):
        assert not writer.offer(state(epoch))
        assert writer.wait(20)
        written.append(next(iter(epochs(checkpoints)), 0))
    assert written == [0, 0, 3, 3, 3, 6, 6]


def test_an_interval_of_zero_writes_every_state_before_it_is_reported(
    checkpoints: Checkpoints, clock: Clock
) -> None:
    writer = CheckpointWriter(checkpoints, interval_s=0.0, clock=clock)
    for epoch in (1, 2, 3):
        assert writer.offer(state(epoch))
        assert epochs(checkpoints)[0] == epoch


def test_training_goes_on_while_one_is_written_and_no_second_write_begins(
    writer: CheckpointWriter, checkpoints: Checkpoints, clock: Clock
) -> None:
    slow, clock.now = gate(1), 61
    writer.offer(state(1, slow))
    assert slow.reached.wait(20)
    for epoch, clock.now in ((2, 70), (3, 122), (4, 200)):
        assert not writer.offer(state(epoch))
    assert [t.name for t in threading.enumerate()].count("checkpoint") == 1
    assert epochs(checkpoints) == []
    slow.opened.set()
    assert writer.wait(20)
    assert epochs(checkpoints) == [4, 1], "the newest follows, as it was due in the meantime"


def test_in_a_hurry_the_newest_is_written_now_and_every_later_one_at_once(
    writer: CheckpointWriter, checkpoints: Checkpoints
) -> None:
    writer.offer(state(1))
    writer.offer(state(2))
    threading.Thread(target=writer.hurry).start()  # as the thread that watches for a drain does
    deadline = time.monotonic() + 20
    while epochs(checkpoints) != [2] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert epochs(checkpoints) == [2]
    assert writer.offer(state(3)) and epochs(checkpoints) == [3, 2]


def test_an_end_waits_for_the_pending_write_and_then_its_own(
    writer: CheckpointWriter, checkpoints: Checkpoints, clock: Clock
) -> None:
    slow, clock.now = gate(1), 61
    writer.offer(state(1, slow))
    assert slow.reached.wait(20)
    threading.Timer(0.1, slow.opened.set).start()
    assert writer.offer(state(2), now=True)
    assert epochs(checkpoints) == [2, 1]


def test_nothing_is_asked_where_the_answer_does_not_matter(checkpoints: Checkpoints) -> None:
    def unexpected() -> bool:
        raise AssertionError("asked")

    assert CheckpointWriter(checkpoints, interval_s=0.0).offer(state(1), now=unexpected)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("broken")])
def test_an_error_of_the_thread_is_raised_by_the_next_step(
    writer: CheckpointWriter, checkpoints: Checkpoints, clock: Clock, error: Exception
) -> None:
    def refused(folder: Path) -> None:
        _write(folder, "half")
        raise error

    clock.now = 61
    writer.offer(state(1, refused))
    assert writer.wait(20)
    for _ in range(2):
        with pytest.raises(type(error), match=str(error.args[-1])):
            writer.check()
        with pytest.raises(type(error)):
            writer.offer(state(2), now=True)
    assert list(checkpoints.folder.iterdir()) == [], "nothing half-written is left"


def test_an_error_of_the_last_write_is_raised_by_it(writer: CheckpointWriter) -> None:
    def refused(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        writer.offer(state(1, refused), now=True)


def test_a_run_that_the_driver_has_ended_leaves_nothing(
    writer: CheckpointWriter, checkpoints: Checkpoints, clock: Clock
) -> None:
    """ASHA ends a run by its report, while its checkpoint is still being written."""
    slow, clock.now = gate(1), 61
    writer.offer(state(1, slow))
    assert slow.reached.wait(20)
    checkpoints.drop()
    slow.opened.set()
    assert writer.wait(20)
    writer.check()
    assert not checkpoints.folder.exists()
    writer.offer(state(2), now=True)
    assert not checkpoints.folder.exists()


def test_an_abandoned_run_is_not_written_any_more(
    writer: CheckpointWriter, checkpoints: Checkpoints, clock: Clock
) -> None:
    slow, clock.now = gate(1), 61
    writer.offer(state(1, slow))
    assert slow.reached.wait(20)
    writer.offer(state(2))
    threading.Timer(0.1, slow.opened.set).start()
    writer.abandon()
    assert not checkpoints.folder.exists()


def test_a_closed_writer_has_finished_its_write_and_begins_none(
    writer: CheckpointWriter, checkpoints: Checkpoints, clock: Clock
) -> None:
    slow, clock.now = gate(1), 61
    writer.offer(state(1, slow))
    assert slow.reached.wait(20)
    writer.offer(state(2))
    threading.Timer(0.1, slow.opened.set).start()
    writer.close()
    writer.flush()
    assert epochs(checkpoints)[-1] == 1 and not any(checkpoints.folder.glob(".*"))
