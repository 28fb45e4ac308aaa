"""Fetching a results folder from an object store."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import ELOOP
from pathlib import Path, PurePosixPath
from typing import Any

from fer_tune.cluster.names import below
from fer_tune.errors import ResultsError, because
from fer_tune.storage import UrlPath
from fer_tune.storage.retry import with_retries

#: Objects at a time: parts are small, and every request to a store takes time.
_AT_ONCE = 8
#: Attempts for an object that is replaced while it is read.
_ATTEMPTS = 3


@dataclass(frozen=True)
class _Object:
    name: PurePosixPath  # below the folder
    size: int  # bytes
    written: int | None  # nanoseconds since the epoch, by the store's clock


def fetch_url(source: UrlPath, out: Path, *, checkpoints: bool) -> bool:
    """Fetches what is missing or has another size or time; whether objects vanished meanwhile.

    A file has its name only when it is complete. Parts of tables that were deleted there are
    deleted here as well; nothing else is.

    Raises:
        ResultsError: nothing there, or an error of the store or the disk.
    """
    try:
        wanted = [one for one in _listed(source) if _is_wanted(one.name, checkpoints)]
        if not wanted:
            raise ResultsError(
                "no results there",
                where=str(source),
                remedy="A search creates its results folder when it starts: "
                "see `fer-tune logs JOB`",
            )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            whole = list(pool.map(lambda one: _bring(source, one, out), wanted))
    except OSError as error:
        raise ResultsError(
            f"cannot be fetched: {because(error)}",
            where=str(error.filename or source),
            remedy="Run the same command again; it continues where it stopped",
        ) from None
    _remove_parts(out, {one.name for one in wanted})
    return not all(whole)


def _listed(source: UrlPath) -> list[_Object]:
    from pyarrow.fs import FileSelector, FileType

    selector = FileSelector(source.path, recursive=True, allow_not_found=True)
    infos = with_retries(str(source), lambda: source.filesystem.get_file_info(selector))
    start = f"{source.path}/"
    # Names that lead elsewhere (`..`, an absolute path) were not written by a search.
    return [
        _Object(name, info.size, info.mtime_ns)
        for info in infos
        if info.type == FileType.File
        and info.path.startswith(start)
        and (name := below(info.path.removeprefix(start))) is not None
    ]


def _is_wanted(name: PurePosixPath, checkpoints: bool) -> bool:
    """Neither Ray's own nor hidden."""
    if any(part.startswith(".") for part in name.parts):
        return False
    return name.parts[0] != "ray" and (checkpoints or name.parts[0] != "checkpoints")


def _bring(source: UrlPath, wanted: _Object, out: Path) -> bool:
    """Fetches one object; False if it no longer exists."""
    target = out / wanted.name
    if target.is_file():
        status = target.stat()
        if (status.st_size, status.st_mtime_ns) == (wanted.size, wanted.written):
            return True
    if not target.parent.resolve().is_relative_to(out.resolve()):
        raise OSError(ELOOP, "a link leads out of the folder", str(target.parent))
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.part")
    scratch.unlink(missing_ok=True)  # else a link in its place would be written through
    place = source / str(wanted.name)
    try:
        for _ in range(_ATTEMPTS):
            now = with_retries(str(place), lambda: place.filesystem.get_file_info(place.path))
            if now.size is None:
                return False
            with_retries(str(place), lambda: _copy(place, scratch))
            if scratch.stat().st_size == now.size:
                if now.mtime_ns is not None:
                    os.utime(scratch, ns=(now.mtime_ns, now.mtime_ns))
                scratch.replace(target)
                return True
    except FileNotFoundError:
        return False
    finally:
        scratch.unlink(missing_ok=True)
    return False


def _copy(place: Any, scratch: Path) -> None:
    with place.filesystem.open_input_stream(place.path) as there, scratch.open("wb") as here:
        shutil.copyfileobj(there, here, 1024**2)


def _remove_parts(out: Path, there: set[PurePosixPath]) -> None:
    for part in out.glob("*.parquet/*"):
        if part.parent.is_symlink():
            continue
        if PurePosixPath(part.relative_to(out).as_posix()) not in there:
            part.unlink()
