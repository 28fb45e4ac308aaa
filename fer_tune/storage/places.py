"""What is done alike on a file system and in an object store."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fer_tune.storage.trying import trying
from fer_tune.storage.url_path import UrlPath
from fer_tune.storage.urls import is_url

Place = Path | UrlPath

_SCRATCH = "fer_tune-scratch-"
#: Seconds after which nobody copies to or from a scratch folder any more.
_LEFT_S = 24 * 3600.0


def place(where: Place | str) -> Place:
    """A path or a URL as what reads and writes there.

    Raises:
        ResultsError: a URL of a store that is not known here.
    """
    if isinstance(where, str):
        return UrlPath(where) if is_url(where) else Path(where)
    return where


def address(where: Place) -> str:
    """What other processes and machines find it by: credentials included, never for people."""
    return where.url if isinstance(where, UrlPath) else str(where.resolve())


def write_atomically(
    where: Place,
    content: str | bytes,
    *,
    flushed: bool = True,
    before: Callable[[], None] | None = None,
) -> None:
    """Writes a file whole or not at all.

    Args:
        flushed: to the disk, so that it outlives a power cut; a store keeps what it has taken.
        before: called before every attempt; what it raises ends them.
    """
    data = content.encode() if isinstance(content, str) else content
    if isinstance(where, UrlPath):
        where.write_bytes(data, before=before)
        return
    if before is not None:
        before()
    where.parent.mkdir(parents=True, exist_ok=True)
    scratch = where.with_name(f".{where.name}.{uuid.uuid4().hex}")
    try:
        with scratch.open("wb") as out:
            out.write(data)
            if flushed:
                out.flush()
                os.fsync(out.fileno())
        scratch.replace(where)
    finally:
        scratch.unlink(missing_ok=True)


def files_in(folder: Place, suffix: str) -> list[Place]:
    """The files of a folder that end so, hidden ones left out, by name; none where none is."""
    found: list[Place] = []
    if isinstance(folder, UrlPath):
        found += folder.files()
    elif folder.is_dir():
        found += sorted(folder.iterdir())
    return [f for f in found if f.name.endswith(suffix) and not f.name.startswith(".")]


def for_arrow(files: Sequence[Place]) -> tuple[list[str], Any]:
    """Files of one folder as pyarrow takes them: their names, and the filesystem."""
    if files and isinstance(files[0], UrlPath):
        return [f.path for f in files if isinstance(f, UrlPath)], files[0].filesystem
    return [str(f) for f in files], None


def remove_tree(folder: Place) -> None:
    """Removes a folder with everything in it; nothing may be there.

    What a disk does not let go of stays; a store that refuses raises OSError.
    """
    if isinstance(folder, UrlPath):
        folder.remove_tree()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def put_folder(source: Path, target: UrlPath) -> None:
    """Copies the files of a local folder to a URL, each whole or not at all."""
    from pyarrow.fs import LocalFileSystem, copy_files

    def put() -> None:
        copy_files(
            str(source),
            target.path,
            source_filesystem=LocalFileSystem(),
            destination_filesystem=target.filesystem,
        )

    trying(str(target), put)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of this machine that is gone afterwards; what a kill left of others goes later."""
    for left in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_S:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def local_copy(folder: Place) -> Iterator[Path]:
    """The folder itself, or for a URL a copy that is gone afterwards."""
    if isinstance(folder, Path):
        yield folder
        return
    from pyarrow.fs import LocalFileSystem, copy_files

    def fetch(into: str) -> None:
        copy_files(
            folder.path,
            into,
            source_filesystem=folder.filesystem,
            destination_filesystem=LocalFileSystem(),
        )

    with scratch_folder() as scratch:
        trying(str(folder), lambda: fetch(str(scratch)))
        yield scratch
