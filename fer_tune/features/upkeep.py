"""What is in a feature bank, and emptying it; needs no torch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from fer_tune.features.folder import ABANDONED_S, ENTRY, LOCK, SCRATCH, default_bound, own_files
from fer_tune.storage.private import private_folder, private_lock


@dataclass(frozen=True, kw_only=True)
class Group:
    """Entries of one kind.

    Attributes:
        backbone: ``pictures`` for those that passed through none; None for entries of earlier
            versions, of which the file's name says nothing.
        crop_size: in pixels.
        depth: the unfreeze depth.
        bytes: of their files.
        last_used: seconds since the Unix epoch.
    """

    backbone: str | None
    crop_size: int | None
    depth: int | None
    entries: int
    bytes: int
    last_used: float


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a bank holds.

    Attributes:
        bound: bytes that a search that begins now would let it take.
        groups: the largest first.
    """

    folder: Path
    bound: int
    groups: tuple[Group, ...]

    @property
    def entries(self) -> int:
        return sum(group.entries for group in self.groups)

    @property
    def bytes(self) -> int:
        return sum(group.bytes for group in self.groups)


@dataclass(frozen=True, kw_only=True)
class Freed:
    """What was removed."""

    entries: int
    bytes: int


def content(folder: Path) -> Content:
    """What the bank in ``folder`` holds; nothing if there is none.

    Raises:
        OSError: it cannot be read.
    """
    found: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for path, state in own_files(folder, ENTRY) if folder.exists() else ():
        match = ENTRY.fullmatch(path.name)
        assert match is not None
        kind = () if match["depth"] is None else match.group("backbone", "crop", "depth")
        found.setdefault(kind, []).append((state.st_size, state.st_atime))
    groups = [
        Group(
            backbone=kind[0] if kind else None,
            crop_size=int(kind[1]) if kind else None,
            depth=int(kind[2]) if kind else None,
            entries=len(files),
            bytes=sum(size for size, _ in files),
            last_used=max(used for _, used in files),
        )
        for kind, files in found.items()
    ]
    ordered = sorted(groups, key=lambda group: (-group.bytes, str(group)))
    return Content(folder=folder, bound=default_bound(folder), groups=tuple(ordered))


def clear(folder: Path) -> Freed:
    """Removes the bank's own files and nothing else; may be called while a search runs.

    A process that has an entry mapped keeps it, and one that writes an entry finishes it.

    Raises:
        OSError: the folder is not the bank of this user alone, or a file cannot be removed.
    """
    if not folder.exists():
        return Freed(entries=0, bytes=0)
    private_folder(folder)
    removed = [size for path, size in _removable(folder) if _is_removed(path)]
    for lock, _ in own_files(folder, LOCK):
        _remove_lock(lock)
    return Freed(entries=len(removed), bytes=sum(removed))


def _removable(folder: Path) -> Iterator[tuple[Path, int]]:
    """Entries, and partial files of killed writers."""
    for path, state in list(own_files(folder, ENTRY, SCRATCH)):
        if ENTRY.fullmatch(path.name) or time.time() - state.st_mtime > ABANDONED_S:
            yield path, state.st_size


def _is_removed(path: Path) -> bool:
    """Removes a file; False if another process did so first."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _remove_lock(path: Path) -> None:
    """Removes a lock that nobody holds.

    A process that waits for it at this instant gets it although the next one makes a new file.
    Then both compute the same entry, and the second replaces the first.
    """
    lock = private_lock(path)
    with suppress(Timeout):
        lock.acquire(blocking=False)
        path.unlink(missing_ok=True)
    lock.release()
