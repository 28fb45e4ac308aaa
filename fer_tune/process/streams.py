"""Standard streams that cannot end a command with a traceback.

A reader can close the pipe (``| head``, a closed terminal), a disk can be full (``> FILE``), a
stream can be closed (``>&-``), an encoding can lack a character. What then happens:

================  =======================================  ============================
standard output   a short command                          one that keeps going (search)
================  =======================================  ============================
reader is gone    ends at once, silently, exit code 141    reported once; output dropped
cannot be written one message, exit code 2                 reported once; output dropped
closed            output dropped                           output dropped
================  =======================================  ============================

141 is what a shell shows for a program that SIGPIPE ended; 2 is the code of every other error that
the user can fix. Standard error never ends a command: there is nowhere left to report it.

A pipe that does not block (node, some CI runners) is waited for as if it did.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import logging
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from fer_tune.escaping import one_line

logger = logging.getLogger(__name__)

READER_GONE, UNWRITABLE = 128 + 13, 2
_ESCAPED = "fer_tune.escaped"


class _Output:
    """The state of standard output."""

    def __init__(self) -> None:
        self.continuing = ""  # what continues without it; "" for a command that ends
        self.over = False  # the command has ended: nothing is raised any more
        self.is_terminal = False
        # Not sys.stderr: rich's Live replaces that with one that prints to standard output, which
        # is in the middle of a failing write when there is something to report.
        self.reports: TextIO | None = None
        self._lost: OSError | None = None

    @property
    def code(self) -> int:
        """The exit code that the loss means for a command that succeeded otherwise."""
        if self._lost is None or self.continuing:
            return 0
        return READER_GONE if self._is_reader_gone(self._lost) else UNWRITABLE

    def lose(self, error: OSError) -> None:
        if self._lost is not None:
            return
        self._lost = error
        self._report(error)
        # Elsewhere than in the main thread an exception would end that thread alone.
        if self.code and not self.over and threading.current_thread() is threading.main_thread():
            sys.exit(self.code)

    def _is_reader_gone(self, error: OSError) -> bool:
        # EIO of a terminal means that it was closed, of a file that the disk is failing.
        return error.errno == errno.EPIPE or (error.errno == errno.EIO and self.is_terminal)

    def _report(self, error: OSError) -> None:
        if self._is_reader_gone(error):
            if not self.continuing:
                return
            what = "standard output was closed by its reader"
        else:
            what = f"standard output cannot be written: {error.strerror}"
        remedy = ". Free up space, or redirect it"
        if self.continuing:
            remedy = f"; {self.continuing} continues"
        logger.info("%s%s", what, remedy)
        with suppress(OSError, ValueError):  # ValueError: a library closed it
            print(one_line(f"fer-tune: {what}{remedy}"), file=self.reports)


_output = _Output()
_prepared: list[TextIO] = []


def prepare() -> None:
    """Makes the three standard streams safe; called once, before anything is printed.

    Streams that were replaced (by a test, by a host program) are left alone.
    """
    _fill_closed()
    codecs.register_error(_ESCAPED, _escaped)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    _output.is_terminal = os.isatty(1)
    sys.stdout = _safe(sys.stdout, sys.__stdout__, _output.lose)
    sys.stderr = _safe(sys.stderr, sys.__stderr__, lambda error: None)
    _output.reports = sys.stderr


def keep_going(what: str) -> None:
    """From now on a lost standard output does not end the command.

    Args:
        what: continues, for the message.
    """
    _output.continuing = what


def finish() -> int:
    """Writes what is still buffered; from now on nothing is raised.

    Returns:
        0, or the exit code of a command whose output was lost.
    """
    _output.over = True
    for stream in _prepared:
        with suppress(OSError, ValueError):  # ValueError: a library closed it
            stream.flush()
    return _output.code


class _Guarded(io.FileIO):
    """A descriptor that drops what it cannot write, and reports it to ``lost``.

    It waits where the descriptor does not block: buffers above it would raise BlockingIOError.
    """

    def __init__(self, descriptor: int, lost: Callable[[OSError], None]) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._lost = lost

    def write(self, data: object) -> int:
        try:
            while (written := super().write(data)) is None:  # type: ignore[arg-type]
                self._wait()
            return written
        except OSError as error:
            self._lost(error)
            return memoryview(data).nbytes  # type: ignore[arg-type]

    def _wait(self) -> None:
        """Until there is room, or nobody is left to make any: the next write then fails."""
        room = select.poll()
        room.register(self.fileno(), select.POLLOUT)
        room.poll()


class _Buffered(io.BufferedWriter):
    """One that may be used while it is writing, as by a signal handler that prints.

    The base class raises RuntimeError then.
    """

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except RuntimeError:
            rest = memoryview(data).cast("B")  # type: ignore[arg-type]
            written = len(rest)
            while rest:
                rest = rest[self.raw.write(rest) :]
            return written

    def flush(self) -> None:
        with suppress(RuntimeError):  # the call that was interrupted writes the rest
            super().flush()


class _Unbuffered(_Buffered):
    """Writes at once, as with ``python -u`` or ``PYTHONUNBUFFERED``."""

    def write(self, data: object) -> int:
        written = super().write(data)
        self.flush()
        return written


def _safe(
    stream: TextIO | None, original: TextIO | None, lost: Callable[[OSError], None]
) -> TextIO:
    if stream is None:  # its descriptor was closed, and may be another file's by now
        return open(os.devnull, "w", encoding="utf-8")
    if stream is not original or not isinstance(stream, io.TextIOWrapper):
        return stream
    buffer = _Unbuffered if stream.write_through else _Buffered
    safe = io.TextIOWrapper(
        buffer(_Guarded(stream.fileno(), lost)),
        encoding=stream.encoding,
        errors=_ESCAPED,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    _prepared.append(safe)
    return safe


def _fill_closed() -> None:
    """Opens what is closed of descriptors 0, 1 and 2 at ``/dev/null``.

    Otherwise the next file that is opened gets the number, and whatever a library or a child
    process prints ends up in it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""Characters that an encoding lacks, as ``\u2013``: text stays readable, JSON stays JSON."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
