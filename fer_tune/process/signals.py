"""Signals: handled for a while, deferred, or turned into an exception that ends the process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]

#: Seconds after the first signal in which further ones do not interrupt the cleanup. A closed
#: terminal sends SIGHUP twice (kernel and shell), systemd sends SIGTERM and then SIGHUP.
GRACE_S = 10.0


class TerminatedError(SystemExit):
    """A signal asked the process to end; the exit code is 128 + its number, as in a shell."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


@contextmanager
def handling(handler: Handler, *numbers: int) -> Iterator[None]:
    """Passes signals to ``handler`` inside the block.

    Only in the main thread, where they arrive; elsewhere it does nothing. An ignored signal stays
    ignored (SIGHUP under ``nohup``, SIGINT of ``COMMAND &`` in a script), and one that a host
    program handles in C stays with it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.signal(number, handler) for number in numbers if _can_handle(number)}
    try:
        yield
    finally:
        for number, before in earlier.items():
            signal.signal(number, before)


def _can_handle(number: int) -> bool:
    # None: a handler that Python did not install, and could not put back.
    return signal.getsignal(number) not in (None, signal.SIG_IGN)


class _Request:
    """The last time that this process was asked to end; there is one of it in a process."""

    at: float | None = None


def acknowledge() -> None:
    """Notes that the process is ending: for a while SIGTERM and SIGHUP are ignored."""
    _Request.at = time.monotonic()


@contextmanager
def ending() -> Iterator[None]:
    """SIGTERM and SIGHUP raise :class:`TerminatedError`, so that temporary files are removed.

    By default both end a process without running a single ``finally``.
    """
    _Request.at = None

    def end(number: int, frame: FrameType | None) -> None:
        if _Request.at is not None and time.monotonic() - _Request.at < GRACE_S:
            return
        acknowledge()
        raise TerminatedError(number)

    with handling(end, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def signals_deferred(
    heard: Callable[[int, int], None] = lambda number, count: None,
) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM and SIGHUP wait until this is left; after an exception they are dropped.

    Yields the numbers of those that have arrived.

    Args:
        heard: called when one arrives, with its number and how many have arrived with it.
    """
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(number)
        heard(number, len(arrived))

    with handling(note, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield arrived
    if arrived:
        signal.raise_signal(arrived[0])
