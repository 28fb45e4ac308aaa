"""Opens files inside a results folder without following links out of it.

A results folder may come from somebody else, and other users may be able to write to it. A link in
it could make this process append to, replace, delete or show files elsewhere; a named pipe could
block it for ever. Two things prevent that: :func:`refuse_links` looks through a folder before it is
used, and the functions that write and delete open every step below the folder with ``O_NOFOLLOW``,
so that a link that appears later is not followed either.

The results folder itself may be a link or be reached through one: its user chose that path.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fer_tune.errors import ResultsError, because

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: Errors of a folder that a search removes meanwhile (the last on NFS), or that is not ours.
_UNLISTED = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ESTALE)
#: Characters of a path up to which a message names it.
_SHOWN = 500
_NEVER = "links inside a results folder are not followed"
#: Optuna locks its journal with a link that is created, renamed and removed, never opened. A kill
#: leaves it behind.
_JOURNAL_LOCK = "optuna.journal.lock"
_SPECIAL = (
    (stat.S_ISLNK, f"is a symbolic link, and {_NEVER}"),
    (stat.S_ISFIFO, "is a named pipe, not a regular file"),
    (stat.S_ISSOCK, "is a socket, not a regular file"),
    (stat.S_ISBLK, "is a device, not a regular file"),
    (stat.S_ISCHR, "is a device, not a regular file"),
)


def refuse_links(root: Path) -> None:
    """Raises ResultsError for the first entry below ``root`` that is not a regular file or folder.

    Also for a folder that cannot be searched, such as one nested too deeply for a path.

    May be called while a search writes there: entries that vanish meanwhile are skipped. So are
    folders that this user may not list.
    """
    folders = [os.fspath(root)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not entry.is_file(follow_symlinks=False):
                        _refuse_special(Path(entry.path))
        except OSError as error:
            if error.errno in _UNLISTED:
                continue
            raise ResultsError(
                f"a folder in it cannot be searched for links: {because(error)}",
                where=folder if len(folder) <= _SHOWN else str(root),
                remedy="Remove that folder, or check the disk",
            ) from None


def _refuse_special(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode) and path.name.startswith(_JOURNAL_LOCK):
        return
    what = _special(mode)
    if what is not None:
        raise ResultsError(
            what,
            where=str(path),
            remedy="Remove it, or replace it with a copy of the intended file",
        )


def _special(mode: int) -> str | None:
    return next((what for is_kind, what in _SPECIAL if is_kind(mode)), None)


def open_file(
    path: Path,
    flags: int = os.O_RDONLY,
    *,
    within: int | None = None,
    known: os.stat_result | None = None,
) -> int:
    """Opens a regular file; does not follow a link in its last part or wait for a named pipe.

    A file that is opened for writing must have no second name (hard link): the content would
    change there too.

    Args:
        flags: of ``os.open``.
        within: descriptor of the folder that ``path`` starts from; the working folder by default.
        known: the file as this process opened it before. It may have another name by now: a user
            may take a snapshot (``cp -al``) of a folder that is written to.

    Returns:
        the descriptor.

    Raises:
        OSError: not a regular file, or the system reports an error.
    """
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666, dir_fd=within)
    except OSError as error:
        raise _explained(error, path, within) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        what = _special(status.st_mode) or "is a folder, not a regular file"
        raise OSError(errno.EINVAL, f"{path.name} {what}", str(path))
    is_known = known is not None and os.path.samestat(known, status)
    if flags & (os.O_WRONLY | os.O_RDWR) and status.st_nlink > 1 and not is_known:
        os.close(descriptor)
        what = "has a second name (a hard link) which would change too: replace it with a copy"
        raise OSError(errno.EMLINK, f"{path.name} {what}", str(path))
    return descriptor


@contextmanager
def folder_below(root: Path, folder: Path, *, make: bool = False) -> Iterator[int]:
    """The descriptor of ``folder``; below ``root`` no link is followed on the way to it.

    Args:
        folder: ``root`` or a path that begins with it.
        make: creates what is missing, ``root`` included.

    Raises:
        OSError: a link or a file is on the way, or the system reports an error.
    """
    if make:
        root.mkdir(parents=True, exist_ok=True)
    here, descriptor = root, os.open(root, _FOLDER)
    try:
        for name in folder.relative_to(root).parts:
            here /= name
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=descriptor)
            try:
                inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            except OSError as error:
                raise _explained(error, here, None) from None
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def make_folder_below(root: Path, folder: Path) -> None:
    """Creates ``folder`` for a library that opens it by its path.

    Raises:
        OSError: as :func:`folder_below`.
    """
    with folder_below(root, folder, make=True):
        pass


def _explained(error: OSError, path: Path, within: int | None) -> OSError:
    """A description of ``error`` that names the link or special file, if that is the reason."""
    try:
        mode = os.stat(path, dir_fd=within, follow_symlinks=False).st_mode
    except OSError:
        return error
    what = _special(mode)
    if what is None:
        return error
    return OSError(errno.ELOOP, f"{path.name} {what}", str(path))
