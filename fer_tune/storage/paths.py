"""Operations that work alike on a file system and in an object store."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fer_tune.errors import EnvironmentFault, because
from fer_tune.storage.links import folder_below, open_file
from fer_tune.storage.retry import with_retries
from fer_tune.storage.scratch import scratch
from fer_tune.storage.url_path import UrlPath
from fer_tune.storage.urls import is_url, refuse_almost_url

AnyPath = Path | UrlPath

_SCRATCH = "fer_tune-scratch-"
#: Names of files that :func:`write_atomically` has not renamed yet.
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{32}")
#: Errors of a disk that name no file, as those of pyarrow and of an open file.
_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class TemporaryFolderFault(EnvironmentFault):
    """The disk with this machine's temporary folder is full or read-only.

    It is no OSError, so that it is not mistaken for an error of the results folder or of the store.
    """

    def as_os_error(self) -> OSError:
        """For where it is the only machine, so that nothing can go on."""
        assert isinstance(self.__cause__, OSError)
        return OSError(self.__cause__.errno, self.what, self.where)


def any_path(where: AnyPath | str) -> AnyPath:
    """A path or a URL as an object that can read and write there.

    Raises:
        ResultsError: a URL of an unsupported store, or a mistyped one.
    """
    if isinstance(where, str):
        refuse_almost_url(where)
        return UrlPath(where) if is_url(where) else Path(where)
    return where


def address(where: AnyPath) -> str:
    """The path or URL for other processes and machines: with credentials, never for output."""
    return where.url if isinstance(where, UrlPath) else str(where.resolve())


def write_atomically(
    where: AnyPath,
    content: str | bytes,
    *,
    within: AnyPath | None = None,
    flushed: bool = True,
    before: Callable[[], None] | None = None,
) -> None:
    """Writes a file atomically; a link of that name is replaced, not followed.

    Args:
        within: a folder above it, below which no link is followed; its own by default.
        flushed: to the disk, to survive a power cut; a store keeps what it has accepted.
        before: called before every attempt; what it raises ends them.
    """
    data = content.encode() if isinstance(content, str) else content
    if isinstance(where, UrlPath):
        where.write_bytes(data, before=before)
        return
    if before is not None:
        before()
    partial = Path(f".{where.name}.{uuid.uuid4().hex}")
    with folder_below(_root(where, within), where.parent, make=True) as folder:
        try:
            created = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(open_file(partial, created, within=folder), "wb") as out:
                out.write(data)
                if flushed:
                    out.flush()
                    os.fsync(out.fileno())
            os.replace(partial, where.name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=folder)


def remove_partial_files(folder: Path, *, besides: Collection[str]) -> None:
    """Removes what kills between writing and renaming left; nothing may write there meanwhile.

    Args:
        besides: names of folders in ``folder`` that are left alone.
    """
    for place, folders, files in os.walk(folder):  # does not follow links
        if Path(place) == folder:
            folders[:] = [name for name in folders if name not in besides]
        for name in filter(_PARTIAL.fullmatch, files):
            with suppress(FileNotFoundError):
                os.unlink(Path(place) / name)


def read_bytes(where: AnyPath) -> bytes:
    """The content of a file; does not follow a link or wait for a named pipe.

    Raises:
        OSError: not found, not a regular file, or unreadable.
    """
    if isinstance(where, UrlPath):
        return where.read_bytes()
    with open(open_file(where), "rb") as file:
        return file.read()


def remove_file(where: AnyPath, *, within: AnyPath | None = None) -> None:
    """Removes a file, or a link of that name, if there is one.

    Args:
        within: as of :func:`write_atomically`.
    """
    if isinstance(where, UrlPath):
        where.unlink(missing_ok=True)
        return
    with (
        suppress(FileNotFoundError),
        folder_below(_root(where, within), where.parent) as folder,
    ):
        os.unlink(where.name, dir_fd=folder)


def _root(where: Path, within: AnyPath | None) -> Path:
    return within if isinstance(within, Path) else where.parent


def files_in(folder: AnyPath, suffix: str) -> list[AnyPath]:
    """The visible files of a folder with that suffix, by name; none if there is no folder."""
    found: list[AnyPath] = []
    if isinstance(folder, UrlPath):
        found += folder.files()
    elif folder.is_dir():
        found += sorted(folder.iterdir())
    return [f for f in found if f.name.endswith(suffix) and not f.name.startswith(".")]


def is_number(name: str) -> bool:
    """Whether the name of a file or folder is a number: ASCII digits, 18 of them at most."""
    return name.isascii() and name.isdigit() and len(name) <= 18


def remove_tree(folder: AnyPath, *, within: AnyPath | None = None) -> None:
    """Removes a folder with its content, or a file or link of that name, if there is one.

    What cannot be removed from a disk stays; errors of a store raise OSError.

    Args:
        within: as of :func:`write_atomically`.
    """
    if isinstance(folder, UrlPath):
        folder.remove_tree()
        return
    with suppress(OSError), folder_below(_root(folder, within), folder.parent) as parent:
        try:
            os.unlink(folder.name, dir_fd=parent)
        except (IsADirectoryError, PermissionError):
            shutil.rmtree(folder.name, ignore_errors=True, dir_fd=parent)


def copy_file(source: AnyPath, target: AnyPath, *, within: AnyPath | None = None) -> None:
    """Copies a file to another name in the same store or file system, atomically.

    Args:
        within: a folder above ``target``, as of :func:`write_atomically`.
    """
    if isinstance(source, UrlPath):
        assert isinstance(target, UrlPath)
        there = source.filesystem
        with_retries(str(target), lambda: there.copy_file(source.path, target.path))
        return
    write_atomically(target, read_bytes(source), within=within)


def put_folder(source: Path, target: UrlPath) -> None:
    """Copies the files of a local folder to a URL, each atomically."""
    from pyarrow.fs import LocalFileSystem, copy_files

    def put() -> None:
        copy_files(
            str(source),
            target.path,
            source_filesystem=LocalFileSystem(),
            destination_filesystem=target.filesystem,
        )

    with_retries(str(target), put)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder of this machine, removed afterwards; see :mod:`fer_tune.storage.scratch`.

    Raises:
        TemporaryFolderFault: no folder can be made or used there.
    """
    parent, is_made = None, False
    try:
        parent = Path(tempfile.gettempdir())  # raises where none can be written to
        with scratch(parent, _SCRATCH) as folder:
            files = folder / "files"
            files.mkdir(mode=0o700)
            is_made = True
            yield files
    except OSError as error:
        # Afterwards a file that is missing there, or damaged, is no fault of the folder.
        if not _is_of(parent, error) or (is_made and error.errno not in _OF_DISK):
            raise
        why = because(error)
        if error.filename is None and error.errno in _OF_DISK:
            why = os.strerror(error.errno)  # without pyarrow's words
        raise TemporaryFolderFault(
            f"the temporary folder of {socket.gethostname()} cannot be used: {why}",
            where=str(parent or ""),
            remedy="Free up space on that machine, or set TMPDIR there to a folder on another disk",
        ) from error


def _is_of(parent: Path | None, error: OSError) -> bool:
    """Whether an error within a folder in ``parent`` is one of that folder's disk."""
    if parent is None:
        return True
    if error.filename is None:
        return error.errno in _OF_DISK
    return str(error.filename).startswith(str(parent / _SCRATCH))


@contextmanager
def local_copy(folder: AnyPath) -> Iterator[Path]:
    """The folder itself, or for a URL a copy that is removed afterwards.

    Raises:
        OSError: the store reports an error, or an object's name leads out of the folder.
    """
    if isinstance(folder, Path):
        yield folder
        return
    from pyarrow.fs import LocalFileSystem, copy_files

    def fetch(into: str) -> None:
        folder.refuse_names_outside()
        copy_files(
            folder.path,
            into,
            source_filesystem=folder.filesystem,
            destination_filesystem=LocalFileSystem(),
        )

    with scratch_folder() as copy:
        with_retries(str(folder), lambda: fetch(str(copy)))
        yield copy
