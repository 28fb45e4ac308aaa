"""Temporary folders that do not outlive their process for long.

They may hold pictures of faces, so they are private to the user and removed however their process
ends, by an error or a signal. SIGKILL and power cuts leave them behind: the next process that makes
one at the same place removes those first. The lock in a folder says whether its process still runs:

::

    PARENT/PREFIX9c1d…/        mode 0700
    PARENT/PREFIX9c1d…/.lock   locked by the process that made it

Some network file systems have no locks; nothing is removed there that another process left.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fer_tune.process.signals import signals_deferred
from fer_tune.storage.private import is_private_folder

_LOCK = ".lock"
#: Seconds without a change after which a folder without a lock file counts as abandoned: its
#: process was killed before it made one.
_ABANDONED_S = 24 * 3600.0


@contextmanager
def scratch(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in ``parent``, removed afterwards; first removes those of killed processes.

    Args:
        parent: made if it is missing, and then removed again if it is empty in the end.
        prefix: of the name. Nobody else may use names of this prefix and 32 hex digits.

    Raises:
        OSError: the folder cannot be made.
    """
    missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    lock = None
    try:
        folder, lock = _made(parent, prefix)
        sweep(parent, prefix)
        yield folder
    finally:
        with signals_deferred():
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
            for left in missing:
                with suppress(OSError):  # never created, or not empty
                    left.rmdir()


def sweep(parent: Path, prefix: str) -> None:
    """Removes the folders of processes that are no longer running; only this user's, no links."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(prefix) and re.fullmatch("[0-9a-f]{32}", name[len(prefix) :]):
                _remove_if_abandoned(Path(entry.path))


def _made(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder and the descriptor of its lock."""
    while True:
        folder = parent / f"{prefix}{uuid.uuid4().hex}"
        folder.mkdir(mode=0o700, parents=True)
        with suppress(FileNotFoundError):  # another process removed it before it was locked
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if _lock(lock) and (folder / _LOCK).exists():
                return folder, lock
            os.close(lock)


def _lock(descriptor: int) -> bool:
    """Whether another process does not hold the lock; this one does then, if there are locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _remove_if_abandoned(folder: Path) -> None:
    with suppress(OSError):
        if not is_private_folder(folder.lstat()):
            return
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            if time.time() - _changed(folder) > _ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while its process runs
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _changed(folder: Path) -> float:
    """When the folder or anything right in it last changed, in seconds since the epoch."""
    return max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
