"""The files of a folder, with links followed only where that is safe."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from fer_tune.data.files.names import Names
from fer_tune.data.files.tree import SourceFile
from fer_tune.data.listing import Skipped, printable
from fer_tune.data.pixels import UnusableError
from fer_tune.storage.links import folder_below

_FOLDER_LINK = "a link to a folder, which is followed only with --follow-links"
_READ_ALREADY = "a link to a folder that was already read"
_LINK_OUT = "a link that leads out of the folder, which is followed only with --follow-links"


def folder_members(
    root: Path, *, follow_links: bool, encoding: str | None = None
) -> list[SourceFile | Skipped]:
    """Lists the folder; its files are opened later.

    A link could bring any file of this machine into a dataset that is shared. Unless
    ``follow_links`` is set, only links to files inside ``root`` are followed. ``root`` itself may
    be a link.
    """
    unread: list[OSError] = []
    found = sorted(_walk(root, unread, follow_links))
    skipped = [
        Skipped(origin=_name(root, error), reason=f"cannot be read: {error.strerror}")
        for error in unread
    ]
    top = os.path.realpath(root)
    names = Names((os.fsencode(path) for path in found if _is_foreign(path)), encoding)
    return [*skipped, *(_member(root, top, path, follow_links, names) for path in found)]


def _is_foreign(path: PurePosixPath) -> bool:
    """Whether a name is not UTF-8, as those of old archives that were unpacked here."""
    return any("\udc80" <= character <= "\udcff" for character in str(path))


def _walk(root: Path, unread: list[OSError], follow_links: bool) -> Iterator[PurePosixPath]:
    """Files, and links to folders that are not entered.

    Every folder is entered once, if possible without a link, so that circular links end and no
    picture is read under two names.
    """
    entered: set[str] = set()
    tops = [root]
    while tops:
        links = []
        for top in sorted(tops):
            if os.path.realpath(top) in entered:
                yield _inside(root, top)
                continue
            for folder, subfolders, names in os.walk(top, onerror=unread.append):
                real = os.path.realpath(folder)
                if real in entered:
                    subfolders.clear()
                    continue
                entered.add(real)
                yield from (_inside(root, Path(folder, name)) for name in names)
                links += [path for n in subfolders if (path := Path(folder, n)).is_symlink()]
        if not follow_links:
            yield from (_inside(root, link) for link in links)
            return
        tops = links


def _inside(root: Path, path: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(root).as_posix())


def _name(root: Path, error: OSError) -> str:
    return printable(Path(os.fsdecode(error.filename)).relative_to(root).as_posix())


def _member(
    root: Path, top: str, path: PurePosixPath, follow_links: bool, names: Names
) -> SourceFile | Skipped:
    """
    Args:
        top: ``root`` without links.
    """
    foreign = _is_foreign(path)
    full = root / path
    origin = printable(names.text(os.fsencode(path)) if foreign else str(path))
    if full.is_dir():
        reason = _READ_ALREADY if follow_links else _FOLDER_LINK
        return Skipped(origin=origin, reason=reason)
    real = Path(os.path.realpath(full))
    if not follow_links and not real.is_relative_to(top):
        return Skipped(origin=origin, reason=_LINK_OUT)
    # With links followed, the file may be in any folder; otherwise no folder may be a link.
    within = real.parent if follow_links else Path(top)
    opening = partial(_open, real, within)
    return SourceFile(
        path=PurePosixPath(origin),
        open=opening,
        whole=opening,
        stream=opening,
        encoding=names.encoding if foreign else None,
    )


def _open(path: Path, within: Path) -> IO[bytes]:
    """Opens a file; neither it nor a folder between it and ``within`` may have become a link."""
    if not path.is_file():
        raise UnusableError("missing or not a regular file")
    # A pipe that replaced the file meanwhile would block the import.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        if path.parent == within:
            descriptor = os.open(path, flags)
        else:
            with folder_below(within, path.parent) as folder:
                descriptor = os.open(path.name, flags, dir_fd=folder)
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        reason = "it or its folder has become a link" if is_link else error.strerror
        raise UnusableError(f"cannot be read: {reason}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnusableError("missing or not a regular file")
    return os.fdopen(descriptor, "rb")
