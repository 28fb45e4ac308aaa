"""Work of a thread: in order, complete when closed, and its first error raised once."""

from __future__ import annotations

import threading

import pytest

from fer_tune.tuning.monitor.background import Background


def test_work_is_done_in_order_and_complete_when_closed() -> None:
    done: list[int] = []
    background = Background("test")
    for turn in range(2):  # it may be used again
        for number in range(100):
            background.submit(lambda n=100 * turn + number: done.append(n))
        background.close()
        assert done == list(range(100 * (turn + 1)))
    assert "test" not in {thread.name for thread in threading.enumerate()}


def test_it_does_not_wait_for_the_work() -> None:
    go, background = threading.Event(), Background("test")
    background.submit(go.wait)
    background.check()
    go.set()
    background.close()


def test_the_first_error_is_raised_once_and_ends_it() -> None:
    done: list[int] = []
    background = Background("test")
    background.submit(lambda: done.append(1))
    background.submit(lambda: done.append(1 // 0))
    background.submit(lambda: done.append(3))
    with pytest.raises(ZeroDivisionError):
        background.close()
    background.submit(lambda: done.append(4))
    background.close()
    background.check()
    assert done == [1]


def test_abandoned_work_is_not_begun() -> None:
    go, done, background = threading.Event(), [], Background("test")
    background.submit(go.wait)
    background.submit(lambda: done.append(1))
    background.abandon()
    go.set()
    background.close()
    assert done == []
