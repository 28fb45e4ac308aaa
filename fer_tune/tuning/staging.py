"""Copies of the search's files on a node: made once, known by their checksums, shared by trials.

::

    CACHE/dataset-3f2a…/     a bundle, named by the checksums of its files
    CACHE/dataset-3f2a…/.checked    size and time of each file when its checksum was right
    CACHE/.dataset-3f2a….lock       held by whoever checks or copies; everybody else waits
    CACHE/.dataset-3f2a….9c1d…      being written

A copy is written under a dot-name and renamed, so it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from fer_tune.errors import EnvironmentFault
from fer_tune.features import bank_folder
from fer_tune.storage import write_atomically
from fer_tune.tuning.faults import NOT_OF_THE_DISK

logger = logging.getLogger(__name__)

Kind = Literal["dataset", "weights"]
#: Gives a file's bytes by its name, in order, in pieces of any size.
Pieces = Callable[[str], Iterable[memoryview]]

_CHECKED = ".checked"
#: A file's size in bytes and its time of change in ns: while they stay, so does its checksum.
_State = list[int]


@dataclass(frozen=True, kw_only=True)
class BundledFile:
    """One file of a bundle; ``size`` in bytes, ``sha256`` as 64 hex digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Files that every node needs, without their content."""

    kind: Kind
    files: tuple[BundledFile, ...]

    @classmethod
    def of(cls, kind: Kind, paths: Mapping[str, Path]) -> Bundle:
        """The bundle of files on this machine, ``paths`` by their names in the bundle.

        Raises:
            OSError: one cannot be read.
        """
        files = [
            BundledFile(name=name, size=path.stat().st_size, sha256=_sha256(path))
            for name, path in sorted(paths.items())
        ]
        return cls(kind=kind, files=tuple(files))

    @property
    def name(self) -> str:
        """Of its folder: the same for the same files, wherever they came from."""
        content = json.dumps([[file.name, file.sha256] for file in self.files])
        return f"{self.kind}-{hashlib.sha256(content.encode()).hexdigest()[:32]}"

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


def cache_folder() -> Path:
    """``$FER_TUNE_CACHE`` of this machine, or a folder of this user's beside its bank."""
    set_by_user = os.environ.get("FER_TUNE_CACHE")
    beside = bank_folder().with_name(f"fer_tune-cache-{os.getuid()}")
    return Path(set_by_user) if set_by_user else beside


def stage(bundle: Bundle, cache: Path, pieces: Pieces) -> Path:
    """The folder with this node's copy of ``bundle``, made now if it is not there or damaged.

    Args:
        cache: folder of this node's copies; made when absent.
        pieces: the content, asked for only if it is needed.

    Raises:
        EnvironmentFault: no room or no right to write, or other bytes came than were named.
    """
    folder = cache / bundle.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{bundle.name}.lock"):
            if not _is_whole(folder, bundle):
                _copy(bundle, folder, pieces)
    except NOT_OF_THE_DISK:
        raise
    except OSError as error:
        raise EnvironmentFault(
            f"cannot keep a copy of the {bundle.kind}: {error.strerror or error}",
            where=str(cache),
            remedy="Check the folder's rights and the free space on this machine, or set "
            "FER_TUNE_CACHE there to another folder",
        ) from error
    return folder


def _copy(bundle: Bundle, folder: Path, pieces: Pieces) -> None:
    """Makes ``folder``; called by who holds the bundle's lock."""
    _sweep(bundle, folder)
    free = shutil.disk_usage(folder.parent).free
    if free < bundle.size:
        raise EnvironmentFault(
            f"no room for a copy of the {bundle.kind}: it takes {bundle.size / 2**20:,.1f} MiB "
            f"and {free / 2**20:,.1f} MiB are free",
            where=str(folder.parent),
            remedy="Make room on this machine, or set FER_TUNE_CACHE there to a larger disk",
        )
    began = time.monotonic()
    scratch = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    scratch.mkdir()
    try:
        for file in bundle.files:
            _write(scratch / file.name, file, pieces(file.name), bundle.kind)
        _note(scratch, {file.name: _state(scratch / file.name) for file in bundle.files})
        if folder.exists():
            logger.warning("%s is damaged and is replaced", folder)
            # Whoever has its files mapped keeps them.
            folder.rename(scratch.with_name(f"{scratch.name}.old"))
        scratch.rename(folder)
    finally:
        _sweep(bundle, folder)
    logger.info("%s copied in %.1f s", folder, time.monotonic() - began)


def _sweep(bundle: Bundle, folder: Path) -> None:
    """Removes unfinished and replaced copies: whoever wrote them has lost the lock."""
    for left in folder.parent.glob(f".{bundle.name}.*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _write(path: Path, file: BundledFile, pieces: Iterable[memoryview], kind: Kind) -> None:
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for piece in pieces:
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != file.sha256:
        raise EnvironmentFault(
            f"{file.name} of the {kind} came with another checksum than it was announced with",
            where=str(path.parent.parent),
            value=digest.hexdigest()[:12],
            remedy=f"Somebody changed the file where the search was started; put the one with "
            f"sha256 {file.sha256[:12]} back, or start the search anew",
        )


def _is_whole(folder: Path, bundle: Bundle) -> bool:
    """Whether every file is there with its checksum, which is read again if the file changed."""
    known: dict[str, _State] = {}
    with suppress(OSError, ValueError):
        known = json.loads((folder / _CHECKED).read_text(encoding="utf-8"))
    found: dict[str, _State] = {}
    for file in bundle.files:
        path = folder / file.name
        try:
            found[file.name] = _state(path)
        except FileNotFoundError:
            return False
        if known.get(file.name) != found[file.name] and _sha256(path) != file.sha256:
            return False
    if found != known:
        _note(folder, found)
    return True


def _note(folder: Path, states: Mapping[str, _State]) -> None:
    write_atomically(folder / _CHECKED, json.dumps(states))


def _state(path: Path) -> _State:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
