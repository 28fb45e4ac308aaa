"""Writes a run's checkpoints in a thread, while the run trains on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_tune.tuning.raytune.checkpoints import Checkpoints

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run after one epoch, copied, so that the run may train on.

    Attributes:
        result: the report of that epoch.
        write: saves the copy in the given folder.
    """

    epoch: int
    result: dict[str, Any]
    write: Callable[[Path], None]


class CheckpointWriter:
    """Writes the newest state of one run: when the interval has passed, or at once on demand.

    There is at most one pending write. A state that is replaced before it is written is dropped.

    Args:
        interval_s: seconds from the beginning of one write to the next; 0 writes every state
            before :meth:`offer` returns.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        *,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoints, self._interval_s, self._clock = checkpoints, interval_s, clock
        self._changed = threading.Condition()  # reentrant: SIGTERM may interrupt the holder
        self._newest: RunState | None = None  # None once it is written: it takes memory
        self._thread: threading.Thread | None = None
        self._wanted = False
        self._urgent = interval_s == 0
        self._has_folder = False
        self._due = clock() + interval_s
        self._error: Exception | None = None

    def offer(self, state: RunState, *, now: bool | Callable[[], bool] = False) -> bool:
        """Takes the state after an epoch; returns whether it is on the disk already.

        Args:
            now: write it before returning; a function is asked only where it matters.

        Raises:
            OSError: of this write or an earlier one, from the disk or the store at the URL.
        """
        self.check()
        if not self._has_folder:
            # Never by the thread: it would undo the removal of an ended run's checkpoints.
            self._checkpoints.make_folder()
            self._has_folder = True
        with self._changed:
            self._newest = state
        if self._urgent or (now() if callable(now) else now):
            self.flush()
            return True
        if self._clock() >= self._due:
            self._write_newest()
        return False

    def check(self) -> None:
        """Raises the error of a write that failed."""
        if self._error is not None:
            raise self._error

    def hurry(self) -> None:
        """Writes the newest state, and every later one at once; may be called by any thread."""
        self._urgent = True
        self._write_newest()

    def flush(self, timeout_s: float | None = None) -> None:
        """Writes the newest state and waits for it, as long as ``timeout_s``.

        Raises:
            OSError: as of :meth:`offer`.
        """
        self._write_newest()
        self.wait(timeout_s)
        self.check()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the pending write; False if it takes longer than ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout_s)

    def close(self) -> None:
        """Waits for the pending write; nothing is written after it."""
        with self._changed:
            if not self._wanted:
                self._newest = None
        self.wait()
        self._newest = None

    def abandon(self) -> None:
        """Removes what a pending write leaves: the driver has ended the run, and all else of it."""
        with self._changed:
            self._newest = None
            pending = self._thread is not None
        self.wait()
        if pending:
            with suppress(OSError):  # the driver removes it when the phase ends
                self._checkpoints.drop()

    # -- the thread -------------------------------------------------------------------------

    def _write_newest(self) -> None:
        with self._changed:
            if self._newest is None:
                return
            self._wanted = True
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="checkpoint", daemon=True)
                thread.start()  # fails where there may be no more threads
                self._thread = thread

    def _work(self) -> None:
        while (state := self._next()) is not None:
            try:
                self._checkpoints.save(state.epoch, state.result, state.write)
            except Exception as error:  # raised again by the run's own thread
                self._failed(error)
            else:
                self._forget(state)
            del state  # its memory, before the next one is taken

    def _next(self) -> RunState | None:
        """The state to write next; None ends the thread."""
        with self._changed:
            state = self._newest if self._wanted and self._error is None else None
            self._wanted = False
            if state is None:
                self._thread = None
                self._changed.notify_all()
                return None
            self._due = self._clock() + self._interval_s
            return state

    def _forget(self, state: RunState) -> None:
        with self._changed:
            if self._newest is state:
                self._newest = None

    def _failed(self, error: Exception) -> None:
        with self._changed:
            if self._newest is None or not self._checkpoints.has_folder():
                # The driver has removed it: the run has ended, by ASHA.
                logger.info("no checkpoint is kept of a run that has ended: %s", error)
            else:
                self._error = error
