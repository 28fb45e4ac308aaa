"""Credentials in the words of a command: hidden from other users, and from a traceback.

Every user of a machine can read the command lines of all its processes, and Ray copies that of a
search into its list of jobs, which the dashboard shows. So a URL with credentials is overwritten
there as soon as the command runs; the program itself keeps its words.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from fer_tune.escaping import lines


def hide_credentials() -> None:
    """Overwrites credentials in this process's command line, and masks them in tracebacks."""
    from fer_tune.storage.secrets import remember_credentials  # which needs this package itself

    remember_credentials()
    sys.excepthook = _show
    threading.excepthook = _show_of_thread
    if any(":" in word for word in sys.orig_argv):
        with suppress(OSError, ValueError, IndexError):  # not Linux: see docs/security.md
            _overwrite_command_line()


def _overwrite_command_line() -> None:
    # Fields 48 and 49 of proc_pid_stat(5); the second, the program's name, may hold anything.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    before = Path("/proc/self/cmdline").read_bytes()
    if len(before) != end - start or not before.endswith(b"\0"):
        return  # another library has written a title there
    shown = b"".join(_shown(word) + b"\0" for word in before[:-1].split(b"\0"))
    if shown != before:
        ctypes.memmove(start, shown, len(before))


def _shown(word: bytes) -> bytes:
    """A word without credentials, in as many bytes."""
    from fer_tune.storage import without_secrets  # which needs this package itself

    text = word.decode(errors="surrogateescape")
    shown = without_secrets(text).encode(errors="surrogateescape")
    return shown[: len(word)].ljust(len(word))


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints the traceback of a bug."""
    from fer_tune.storage.secrets import masked

    text = "".join(traceback.format_exception(kind, error, trace))
    print(lines(masked(text)), end="", file=sys.stderr)


def _show_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:  # which ends a thread silently
        _show(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
