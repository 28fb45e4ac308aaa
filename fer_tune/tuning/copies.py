"""Folders of a machine's cache: made once by whoever comes first, there whole or not at all.

::

    CACHE/NAME/          the folder
    CACHE/NAME/.checked  size and time of each file when its content was right
    CACHE/.NAME.lock     held by whoever checks or makes it; everybody else waits
    CACHE/.NAME.9c1d…    being made
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from fer_tune.errors import EnvironmentFault
from fer_tune.features import bank_folder
from fer_tune.storage import write_atomically
from fer_tune.tuning.faults import NOT_OF_THE_DISK

logger = logging.getLogger(__name__)

_CHECKED = ".checked"
#: Seconds of waiting for another process after which it is told.
_TELLING_S = 1.0
#: A file's size in bytes and its time of change in ns: while they stay, so does its content.
_State = list[int]


def cache_folder() -> Path:
    """``$FER_TUNE_CACHE`` of this machine, or a folder of this user's beside its bank."""
    set_by_user = os.environ.get("FER_TUNE_CACHE")
    beside = bank_folder().with_name(f"fer_tune-cache-{os.getuid()}")
    return Path(set_by_user) if set_by_user else beside


def kept(
    folder: Path,
    what: str,
    *,
    names: Iterable[str],
    right: Callable[[str], bool],
    size: Callable[[], int],
    fill: Callable[[Path], None],
    tell: Callable[[str], None] = logger.info,
) -> Path:
    """``folder`` of the cache, made now if it is not there or damaged.

    Args:
        what: it is a copy of, for messages.
        names: of its files.
        right: whether a file that has changed since it was checked is as it shall be; one that
            is not makes the folder a damaged one. May raise OSError.
        size: bytes that it takes; asked before it is made.
        fill: writes the files, right ones, into the folder that it is given.
        tell: takes a word for the user while another process has the folder.

    Raises:
        EnvironmentFault: no room or no right to write; and whatever ``size`` and ``fill`` raise
            but OSError, which is the disk's.
    """
    cache, names = folder.parent, list(names)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f".{folder.name}.lock", what, tell):
            if not _is_whole(folder, names, right):
                _make(folder, what, names, size(), fill)
    except NOT_OF_THE_DISK:
        raise
    except OSError as error:
        raise EnvironmentFault(
            f"cannot keep a copy of the {what}: {error.strerror or error}",
            where=str(cache),
            remedy="Check the folder's rights and the free space on this machine, or set "
            "FER_TUNE_CACHE there to another folder",
        ) from error
    return folder


@contextmanager
def _locked(file: Path, what: str, tell: Callable[[str], None]) -> Iterator[None]:
    lock = FileLock(file)
    try:
        lock.acquire(timeout=_TELLING_S)
    except Timeout:
        tell(f"waiting for another process that copies the {what} or checks its copy: {file}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(
    folder: Path, what: str, names: list[str], size: int, fill: Callable[[Path], None]
) -> None:
    """Makes ``folder``; called by who holds its lock."""
    _sweep(folder)
    free = shutil.disk_usage(folder.parent).free
    if free < size:
        raise EnvironmentFault(
            f"no room for a copy of the {what}: it takes {size / 2**20:,.1f} MiB "
            f"and {free / 2**20:,.1f} MiB are free",
            where=str(folder.parent),
            remedy="Make room on this machine, or set FER_TUNE_CACHE there to a larger disk",
        )
    began = time.monotonic()
    scratch = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    scratch.mkdir()
    try:
        fill(scratch)
        _note(scratch, {name: _state(scratch / name) for name in names})
        if folder.exists():
            logger.warning("%s is damaged and is replaced", folder)
            # Whoever has its files mapped keeps them.
            folder.rename(scratch.with_name(f"{scratch.name}.old"))
        scratch.rename(folder)
    finally:
        _sweep(folder)
    logger.info("%s copied in %.1f s", folder, time.monotonic() - began)


def _sweep(folder: Path) -> None:
    """Removes unfinished and replaced copies: whoever wrote them has lost the lock."""
    for left in folder.parent.glob(f".{folder.name}.*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _is_whole(folder: Path, names: list[str], right: Callable[[str], bool]) -> bool:
    """Whether every file is there and right, which is found out again if the file changed."""
    known: dict[str, _State] = {}
    with suppress(OSError, ValueError):
        known = json.loads((folder / _CHECKED).read_text(encoding="utf-8"))
    found: dict[str, _State] = {}
    for name in names:
        try:
            found[name] = _state(folder / name)
        except FileNotFoundError:
            return False
        if known.get(name) != found[name] and not right(name):
            return False
    if found != known:
        _note(folder, found)
    return True


def _note(folder: Path, states: Mapping[str, _State]) -> None:
    write_atomically(folder / _CHECKED, json.dumps(states))


def _state(path: Path) -> _State:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
