"""Folders that only this user can write to, and locks inside them.

Files that a cache finds on disk become features, pictures and weights. In a folder that another
user owns or may write to, that user would choose them; the name of a folder in the shared temporary
folder is easy to guess, so somebody else may create it first.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def private_folder(folder: Path) -> None:
    """Makes ``folder`` with mode 0700, or checks one that is there already.

    One that others may read is accepted, since its user may want that. An empty one of this user's
    that others can write to is closed to them, unless its sticky bit says that it is to be shared.

    Raises:
        OSError: it cannot be made; or it is a symbolic link or no folder, belongs to another user,
            or others can write to it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    is_new = False
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        is_new = True
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        reason = "it is a symbolic link; use the folder that it points to"
        raise NotADirectoryError(errno.ENOTDIR, reason, str(folder))
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is not a folder", str(folder))
    if _is_own(found):
        return
    is_closed = found.st_uid == os.geteuid() and _close_empty(folder, found)
    if is_closed and _is_own(folder.lstat()):
        return
    if is_new:
        with suppress(OSError):
            folder.rmdir()  # or the next attempt would assume that it is somebody else's
    raise PermissionError(errno.EPERM, _why_refused(found, is_new or is_closed), str(folder))


def _close_empty(folder: Path, found: os.stat_result) -> bool:
    """Denies write access to others if the folder is empty; returns whether that was tried."""
    if found.st_mode & stat.S_ISVTX:
        return False
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.listdir(descriptor):
            return False
        with suppress(OSError):  # some file systems without modes respond like this
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & ~_OTHERS_WRITE)
        if os.listdir(descriptor):  # another user was faster, and the next attempt would trust it
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
            return False
    finally:
        os.close(descriptor)
    return True


def _why_refused(found: os.stat_result, keeps_none: bool) -> str:
    """
    Args:
        keeps_none: the file system shows another owner or mode than was set.
    """
    mode = f"mode {stat.S_IMODE(found.st_mode):04o}"
    if keeps_none:
        return (
            f"this file system does not keep owners or modes (whatever is set, it shows uid "
            f"{found.st_uid}, {mode}); use a folder on a local disk"
        )
    if found.st_uid != os.geteuid():
        return (
            f"it belongs to another user (uid {found.st_uid}, this process runs as "
            f"{os.geteuid()}); use a new folder inside it"
        )
    return (
        f"other users can write to it ({mode}); run `chmod go-w` on it, or use a new folder "
        "inside it"
    )


def is_private_folder(found: os.stat_result) -> bool:
    """Whether an ``lstat`` is that of a folder of this user's to which nobody else can write."""
    return stat.S_ISDIR(found.st_mode) and _is_own(found)


def is_private_file(found: os.stat_result) -> bool:
    """Whether an ``lstat`` or ``fstat`` is that of a regular file that only this user can write."""
    return stat.S_ISREG(found.st_mode) and _is_own(found)


def private_lock(file: Path) -> FileLock:
    """A lock file in a private folder; a symbolic link in its place raises OSError on acquiring."""
    from filelock import FileLock  # late: the command line reports a missing library

    return FileLock(file, mode=0o600)


def _is_own(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not _others_can_write(found)


def _others_can_write(found: os.stat_result) -> bool:
    others = found.st_mode & _OTHERS_WRITE
    return bool(others) and not (others == stat.S_IWGRP and _is_own_group(found.st_gid))


def _is_own_group(gid: int) -> bool:
    """Whether this user is the group's one member, as where the umask is 002 by default."""
    if os.geteuid() == 0:
        return False  # users without a name are put into root's group, as in containers
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
