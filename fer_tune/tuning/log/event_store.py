"""Storage of the event log: a file that lines are appended to, or numbered objects.

An object store cannot append. There ``events.jsonl/000001``, ``000002``, … are consecutive segments
of the log; the first begins with the line that identifies the search. A line is added by rewriting
the newest segment atomically; a segment that is large enough is followed by another, and every
session starts a new one.

Folders move: one that was fetched from a store has segments on a path, and a file that was copied
to a store is read there and becomes the first segment with the next event.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from fer_tune.errors import ResultsError
from fer_tune.schema.limits import EVENT_BYTES
from fer_tune.storage import AnyPath, UrlPath, files_in, is_number, read_bytes, write_atomically
from fer_tune.storage.links import open_file

#: Size in bytes at which a new segment is started: all of a segment is sent with every line.
SEGMENT_BYTES = 64 * 1024
_READ_AT_ONCE = 16
_BLOCK = 64 * 1024


class Lines(Protocol):
    """Appends terminated lines, in order."""

    def append(self, line: bytes) -> None:
        """Appends one and returns when it is durable, or raises OSError."""
        ...


def open_lines(place: AnyPath, before: Callable[[], None] | None = None) -> Lines:
    """Opens the lines at ``place`` for appending.

    Args:
        before: called before every attempt to write to a store; what it raises ends them.
    """
    if isinstance(place, UrlPath) or place.is_dir():
        return Segments(place, before)
    return AppendedFile(place)


class AppendedFile:
    """A file that lines are appended to; a torn last line is removed first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: os.stat_result | None = None
        with suppress(FileNotFoundError):
            self._known = cut_torn_line(path)

    def append(self, line: bytes) -> None:
        appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = open_file(self._path, appending, known=self._known)
        with open(descriptor, "ab", buffering=0) as file:
            self._known = os.fstat(descriptor)
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            os.fsync(file.fileno())


class Segments:
    """Numbered files of a folder, or objects below a URL."""

    def __init__(self, folder: AnyPath, before: Callable[[], None] | None = None) -> None:
        self._folder, self._held, self._before = folder, b"", before
        if folder.is_file():
            _convert_to_segment(folder)
        self._number = len(segments_of(folder)) + 1

    def append(self, line: bytes) -> None:
        held = self._held + line
        segment = self._folder / f"{self._number:06d}"
        write_atomically(segment, held, within=_root(self._folder), before=self._before)
        self._held = held
        if len(held) >= SEGMENT_BYTES:
            self._number, self._held = self._number + 1, b""


def create_lines(place: AnyPath, line: bytes) -> None:
    """Creates a log with its first line, which identifies the search, atomically."""
    write_atomically(place / "000001" if isinstance(place, UrlPath) else place, line)


def read_lines(place: AnyPath) -> Iterator[tuple[str, bytes]]:
    """Every complete line with its position, ``file:number``; may run while lines are appended.

    Reading ends with a line longer than ``EVENT_BYTES``, cut off after ``EVENT_BYTES + 1`` bytes.

    Raises:
        ResultsError: a segment is missing.
        OSError: it cannot be read.
    """
    segments = [place] if place.is_file() else segments_of(place)
    if not segments:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))
    for where, line in (
        _from_store(segments) if isinstance(place, UrlPath) else _from_disk(segments)
    ):
        if line.endswith(b"\n"):
            yield where, line
            continue
        if len(line) > EVENT_BYTES:
            yield where, line
        return  # torn by a kill, or still being written


def _from_store(segments: list[AnyPath]) -> Iterator[tuple[str, bytes]]:
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        contents = pool.map(read_bytes, segments)
        for segment, content in zip(segments, contents, strict=True):
            yield from _numbered(segment, content.splitlines(keepends=True))


def _from_disk(segments: list[AnyPath]) -> Iterator[tuple[str, bytes]]:
    for segment in segments:
        assert isinstance(segment, Path)
        with open(open_file(segment), "rb") as file:
            yield from _numbered(segment, iter(lambda: file.readline(EVENT_BYTES + 1), b""))


def _numbered(segment: AnyPath, lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    return ((f"{segment}:{number}", line) for number, line in enumerate(lines, start=1))


def segments_of(folder: AnyPath) -> list[AnyPath]:
    """The segments of a log, in order.

    Raises:
        ResultsError: one is missing.
    """
    found = [file for file in files_in(folder, "") if is_number(file.name)]
    for number, segment in enumerate(found, start=1):
        if int(segment.name) != number:
            raise ResultsError(
                f"damaged: segment {number:06d} of the log is missing",
                where=str(folder),
                remedy="Restore it from a backup, or start a new search",
            )
    return found


def _root(folder: AnyPath) -> AnyPath | None:
    """The results folder that a folder of segments is in."""
    return folder.parent if isinstance(folder, Path) else None


def _convert_to_segment(file: AnyPath) -> None:
    """Moves a log file into the first segment; if killed in between, the file is still there."""
    content = read_bytes(file)
    write_atomically(file / "000001", content[: content.rfind(b"\n") + 1])
    file.unlink()


def cut_torn_line(path: Path) -> os.stat_result:
    """Removes an incomplete last line, left by a kill; returns the file's status."""
    with open(open_file(path, os.O_RDWR), "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            whole = file.read(end - start).rfind(b"\n") + 1
            end = start + whole
            if whole:
                break
        file.truncate(end)
        return os.fstat(file.fileno())
