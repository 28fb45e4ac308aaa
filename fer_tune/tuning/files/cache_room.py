"""The bound of a machine's local cache: the least recently used folders are removed.

A process holds a shared lock on every folder that it uses, until it ends; the system releases the
lock however that happens. A folder that somebody holds is never removed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import Timeout

from fer_tune.errors import EnvironmentFault
from fer_tune.storage.file_systems import NO_LOCKS
from fer_tune.storage.private import is_private_folder, private_lock

logger = logging.getLogger(__name__)

#: GiB that the cache may take.
VARIABLE = "FER_TUNE_CACHE_GIB"
_DEFAULT_GIB = 32.0
_DEFAULT_SHARE = 0.25  # of the disk that is free or taken by the cache
#: Folders of the cache; others in it are left alone.
_FOLDER = re.compile(r"(?:fetched|dataset|weights)-[0-9a-f]{32}")
#: Descriptors of the lock files that this process holds, by folder.
_held: dict[Path, int] = {}


def hold(folder: Path) -> None:
    """Marks a folder of the cache as used by this process, until it ends."""
    if folder not in _held:
        handle = _open(folder)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            # No process removes a folder there: that needs a lock, too.
        _held[folder] = handle
    os.utime(_held[folder])


def make_room(folder: Path, size: int) -> None:
    """Removes folders that no process uses until ``size`` bytes more fit bound and disk.

    The new folder is made even if it exceeds the bound: without it there would be no search.

    Args:
        folder: the one that is to be made; the caller holds its lock.

    Raises:
        EnvironmentFault: the bound that the user set is not a number.
        OSError: a folder cannot be read or removed.
    """
    found = [(_used(one), one, _size(one)) for one in _folders(folder.parent) if one != folder]
    taken = sum(count for *_, count in found)
    bound = _bound(folder.parent, taken)
    for _, one, count in sorted(found):
        if taken + size <= bound and size <= shutil.disk_usage(folder.parent).free:
            return
        if _removed(one):
            logger.info("%s removed from the cache, %.1f MiB", one, count / 2**20)
            taken -= count


def _bound(cache: Path, taken: int) -> int:
    text = os.environ.get(VARIABLE)
    if not text:
        free = shutil.disk_usage(cache).free
        return min(int(_DEFAULT_GIB * 2**30), int((free + taken) * _DEFAULT_SHARE))
    with suppress(ValueError, OverflowError):
        if (bound := int(float(text) * 2**30)) >= 0:
            return bound
    raise EnvironmentFault(
        "must be a number of GiB, 0 or more",
        where=VARIABLE,
        value=text,
        remedy=f"Set it to 20, for example, or unset it for at most {_DEFAULT_GIB:g}",
    )


def _removed(folder: Path) -> bool:
    """Removes a folder that no process uses, checks or makes; False if one does."""
    lock = private_lock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    handle = _open(folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        old = folder.with_name(f".{folder.name}.0.old")  # what a kill leaves is swept
        folder.rename(old)
        shutil.rmtree(old)
        _mark(folder).unlink()
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    finally:
        os.close(handle)
        lock.release()
    return True


def _open(folder: Path) -> int:
    return os.open(_mark(folder), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _mark(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.used")


def _folders(cache: Path) -> Iterator[Path]:
    for path in cache.iterdir():
        if _FOLDER.fullmatch(path.name) and is_private_folder(path.lstat()):
            yield path


def _used(folder: Path) -> float:
    """When it was last used; folders of earlier versions when they were made."""
    for path in (_mark(folder), folder):
        with suppress(FileNotFoundError):
            return path.lstat().st_mtime
    return 0.0


def _size(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total
