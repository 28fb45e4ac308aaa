"""Writes what follows from the event log, while the driver handles the next report."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Work = Callable[[], object]


class Background:
    """A thread that does one piece of work after the other, in order.

    For writes that a resume repeats if a kill prevents them. The first error ends it: what was
    submitted later is dropped, and the error is raised once.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._failed = False

    def submit(self, work: Work) -> None:
        """Does ``work`` after all that was submitted before."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            thread.start()  # fails where there may be no more threads
            self._thread = thread
        self._queue.put(work)

    def check(self) -> None:
        """Raises the first error of the work, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Waits until everything is done; raises as :meth:`check`. More may be submitted later."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self.check()

    def abandon(self) -> None:
        """Drops what has not begun."""
        self._failed = True

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            if self._failed:
                continue
            try:
                work()
            except Exception as error:  # the thread that checks raises it
                self._error, self._failed = error, True
