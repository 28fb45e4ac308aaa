"""Folders of a machine's local cache: made once, by the first process, atomically.

Only this user can write to the cache and each copy in it; a folder that others can write to is
rejected or replaced. So a file with the size and time in ``.checked`` is taken as unchanged:
whoever could change both could change the program as well. The check finds damage.

::

    CACHE/NAME/          the folder
    CACHE/NAME/.checked  size and time of each file when its content was valid
    CACHE/.NAME.lock     held by the process that checks or makes it; others wait
    CACHE/.NAME.used     held by every process that uses it; its time is that of the last use
    CACHE/.NAME.9c1d…    being made

Before a folder is made, those that have not been used for longest are removed until it fits into
the cache's bound (``cache_room.py``).
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from fer_tune.errors import EnvironmentFault, reporting
from fer_tune.features.folder import bank_folder
from fer_tune.storage import write_atomically
from fer_tune.storage.private import (
    is_private_file,
    is_private_folder,
    private_folder,
    private_lock,
)
from fer_tune.tuning.files.cache_room import hold, make_room
from fer_tune.tuning.log.disk_faults import NETWORK_ERRORS

logger = logging.getLogger(__name__)

_CHECKED = ".checked"
#: Seconds of waiting for another process after which the user is notified.
_NOTIFY_AFTER_S = 1.0
#: A file's size in bytes and its time of change in ns: while they stay, so does its content.
_State = list[int]


def cache_folder() -> Path:
    """The local cache: ``$FER_TUNE_CACHE``, or this user's folder beside the feature bank."""
    set_by_user = os.environ.get("FER_TUNE_CACHE")
    beside = bank_folder().with_name(f"fer_tune-cache-{os.getuid()}")
    return Path(set_by_user) if set_by_user else beside


def cached_folder(
    folder: Path,
    what: str,
    *,
    names: Iterable[str],
    is_valid: Callable[[str], bool],
    size: Callable[[], int],
    fill: Callable[[Path], None],
    notify: Callable[[str], None] = logger.info,
) -> Path:
    """``folder`` of the cache, made now if it is missing or damaged.

    Args:
        what: what it is a copy of, for messages.
        names: of its files.
        is_valid: whether the content of a file that changed since the last check is valid; if
            not, the folder is damaged. May raise OSError.
        size: returns the bytes needed; called before the folder is made.
        fill: writes the files into the given folder.
        notify: receives a message for the user while another process has the folder.

    Raises:
        EnvironmentFault: no room or no permission to write; and whatever ``size`` and ``fill``
            raise but OSError, which is the disk's.
    """
    cache, names = folder.parent, list(names)
    failure = f"cannot store a copy of the {what}"
    remedy = (
        "Check the folder's permissions and the free space on this machine, or set FER_TUNE_CACHE "
        "there to another folder"
    )
    with reporting(failure, cache, remedy, EnvironmentFault, passing=NETWORK_ERRORS):
        private_folder(cache)
        with _locked(cache / f".{folder.name}.lock", what, notify):
            if not _is_complete(folder, names, is_valid):
                needed = size()
                make_room(folder, needed)
                _make(folder, what, names, needed, fill)
            hold(folder)
    return folder


@contextmanager
def _locked(file: Path, what: str, notify: Callable[[str], None]) -> Iterator[None]:
    lock = private_lock(file)
    try:
        lock.acquire(timeout=_NOTIFY_AFTER_S)
    except Timeout:
        notify(
            f"waiting for another process that is copying the {what} or checking its copy: {file}"
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(
    folder: Path, what: str, names: list[str], size: int, fill: Callable[[Path], None]
) -> None:
    """Makes ``folder``; the caller holds its lock."""
    _sweep(folder)
    free = shutil.disk_usage(folder.parent).free
    if free < size:
        raise EnvironmentFault(
            f"no room for a copy of the {what}: it takes {size / 2**20:,.1f} MiB "
            f"and {free / 2**20:,.1f} MiB are free",
            where=str(folder.parent),
            remedy="Free up space on this machine, or set FER_TUNE_CACHE there to a larger disk",
        )
    began = time.monotonic()
    scratch = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    scratch.mkdir(mode=0o700)
    try:
        fill(scratch)
        for name in names:
            (scratch / name).chmod(0o600)  # whatever the umask: otherwise others could write to it
        _write_checked(scratch, {name: _state(scratch / name) for name in names})
        if os.path.lexists(folder):
            logger.warning("%s is damaged; replacing it", folder)
            # Processes that have its files mapped keep them.
            folder.rename(scratch.with_name(f"{scratch.name}.old"))
        scratch.rename(folder)
    finally:
        _sweep(folder)
    logger.info("%s copied in %.1f s", folder, time.monotonic() - began)


def _sweep(folder: Path) -> None:
    """Removes unfinished and replaced copies of processes that no longer hold the lock."""
    ours = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]+(\.old)?")
    for left in folder.parent.iterdir():
        if not ours.fullmatch(left.name):
            continue
        with suppress(OSError):
            if stat.S_ISDIR(left.lstat().st_mode):
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def _is_complete(folder: Path, names: list[str], is_valid: Callable[[str], bool]) -> bool:
    """Whether every file is present and valid; files that changed are checked again."""
    if not _is_ours(folder, is_private_folder):
        return False
    known = _read_checked(folder)
    found: dict[str, _State] = {}
    for name in names:
        if not _is_ours(folder / name, is_private_file):
            return False
        found[name] = _state(folder / name)
        if known.get(name) != found[name] and not is_valid(name):
            return False
    if found != known:
        _write_checked(folder, found)
    return True


def _is_ours(path: Path, kind: Callable[[os.stat_result], bool]) -> bool:
    """Whether it exists, is no symbolic link, and only this user can write to it."""
    try:
        return kind(path.lstat())
    except FileNotFoundError:
        return False


def _read_checked(folder: Path) -> dict[str, object]:
    """The content of ``.checked``; empty if it cannot be read."""
    with suppress(OSError, ValueError, RecursionError):
        known = json.loads((folder / _CHECKED).read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return known
    return {}


def _write_checked(folder: Path, states: Mapping[str, _State]) -> None:
    write_atomically(folder / _CHECKED, json.dumps(states))


def _state(path: Path) -> _State:
    found = path.lstat()
    return [found.st_size, found.st_mtime_ns]
