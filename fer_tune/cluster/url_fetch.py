"""A results folder brought here from an object store."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fer_tune.errors import ResultsError
from fer_tune.storage import UrlPath
from fer_tune.storage.trying import trying

#: Objects at a time: parts are small, and a store takes its time over each.
_AT_ONCE = 8
#: How often an object is asked for that is replaced while it is read.
_ATTEMPTS = 3


@dataclass(frozen=True)
class _Object:
    name: PurePosixPath  # below the folder
    size: int  # bytes
    written: int | None  # nanoseconds since the epoch, by the store's clock


def fetch_url(source: UrlPath, out: Path, *, checkpoints: bool) -> bool:
    """Brings what is missing here or has another size or time; whether some vanished meanwhile.

    A file stands under its name only when it is whole. Parts of tables that are gone there go
    here as well; nothing else is deleted.

    Raises:
        ResultsError: nothing there, the store refuses, or the disk does.
    """
    try:
        wanted = [one for one in _listed(source) if _is_wanted(one.name, checkpoints)]
        if not wanted:
            raise ResultsError(
                "no results there",
                where=str(source),
                remedy="A search makes its results folder when it begins: "
                "`fer-tune logs JOB` tells",
            )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            whole = list(pool.map(lambda one: _bring(source, one, out), wanted))
    except OSError as error:
        raise ResultsError(
            f"cannot be fetched: {error.strerror or error}",
            where=str(error.filename or source),
            remedy="Run the same command again; it goes on where it was",
        ) from None
    _remove_parts(out, {one.name for one in wanted})
    return not all(whole)


def _listed(source: UrlPath) -> list[_Object]:
    from pyarrow.fs import FileSelector, FileType

    selector = FileSelector(source.path, recursive=True, allow_not_found=True)
    infos = trying(str(source), lambda: source.filesystem.get_file_info(selector))
    start = len(source.path) + 1
    return [
        _Object(PurePosixPath(info.path[start:]), info.size, info.mtime_ns)
        for info in infos
        if info.type == FileType.File
    ]


def _is_wanted(name: PurePosixPath, checkpoints: bool) -> bool:
    """Neither Ray's own, nor hidden, nor (``..``) outside the folder."""
    if any(part.startswith(".") for part in name.parts) or name.is_absolute():
        return False
    return name.parts[0] != "ray" and (checkpoints or name.parts[0] != "checkpoints")


def _bring(source: UrlPath, wanted: _Object, out: Path) -> bool:
    """Brings one object; False when it is there no longer."""
    target = out / wanted.name
    if target.is_file():
        status = target.stat()
        if (status.st_size, status.st_mtime_ns) == (wanted.size, wanted.written):
            return True
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.part")
    place = source / str(wanted.name)
    try:
        for _ in range(_ATTEMPTS):
            now = trying(str(place), lambda: place.filesystem.get_file_info(place.path))
            if now.size is None:
                return False
            trying(str(place), lambda: _copy(place, scratch))
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
        if PurePosixPath(part.relative_to(out).as_posix()) not in there:
            part.unlink()
