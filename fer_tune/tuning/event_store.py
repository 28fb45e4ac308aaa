"""Where the lines of the log of events are kept: in a file that grows, or in numbered objects.

An object store cannot append. There ``events.jsonl/000001``, ``000002``, … are segments of the
log, one after the other; the first holds the line that says which search it is. A line is added by
writing the newest segment anew with it, whole or not at all; a segment that is large enough is
followed by another, and every sitting begins one of its own.

Folders move: one that was fetched from a store has segments on a path as well, and a file that was
copied to a store is read there and becomes the first segment as soon as the log goes on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from fer_tune.errors import ResultsError
from fer_tune.storage import Place, UrlPath, files_in, write_atomically

#: Bytes from which on a segment is followed by another: what is sent again with every line.
SEGMENT_BYTES = 64 * 1024
_READ_AT_ONCE = 16


class Lines(Protocol):
    """Keeps lines, each of them ended, in their order."""

    def append(self, line: bytes) -> None:
        """Adds one and returns when it will outlive this process, or raises OSError."""
        ...


def lines_at(place: Place, before: Callable[[], None] | None = None) -> Lines:
    """Goes on with the lines that are at ``place``.

    Args:
        before: called before every attempt to write to a store; what it raises ends them.
    """
    if isinstance(place, UrlPath) or place.is_dir():
        return Segments(place, before)
    return GrowingFile(place)


class GrowingFile:
    """A file to whose end lines are added; a torn one there is cut off first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.exists():
            cut_torn_line(path)

    def append(self, line: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            os.fsync(file.fileno())


class Segments:
    """Numbered files of a folder, or objects below a URL."""

    def __init__(self, folder: Place, before: Callable[[], None] | None = None) -> None:
        self._folder, self._held, self._before = folder, b"", before
        if folder.is_file():
            _become_segment(folder)
        self._number = len(segments_of(folder)) + 1

    def append(self, line: bytes) -> None:
        held = self._held + line
        write_atomically(self._folder / f"{self._number:06d}", held, before=self._before)
        self._held = held
        if len(held) >= SEGMENT_BYTES:
            self._number, self._held = self._number + 1, b""


def begin_lines(place: Place, line: bytes) -> None:
    """The first line of a log that is not there yet; a file without it would be nobody's."""
    write_atomically(place / "000001" if isinstance(place, UrlPath) else place, line)


def read_lines(place: Place) -> Iterator[tuple[str, bytes]]:
    """Every whole line and where it stands, as ``file:number``; may be called while one is added.

    Raises:
        ResultsError: a segment is missing.
        OSError: it cannot be read.
    """
    segments = [place] if place.is_file() else segments_of(place)
    if not segments:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        contents = pool.map(lambda segment: segment.read_bytes(), segments)
        for segment, content in zip(segments, contents, strict=True):
            for number, line in enumerate(content.splitlines(keepends=True), start=1):
                if not line.endswith(b"\n"):
                    return  # torn by a kill, or just being written
                yield f"{segment}:{number}", line


def segments_of(folder: Place) -> list[Place]:
    """The segments of a log in their order.

    Raises:
        ResultsError: one is missing.
    """
    found = [file for file in files_in(folder, "") if file.name.isdigit()]
    for number, segment in enumerate(found, start=1):
        if int(segment.name) != number:
            raise ResultsError(
                f"damaged: segment {number:06d} of the log is missing",
                where=str(folder),
                remedy="Restore it from a copy, or start the search anew",
            )
    return found


def _become_segment(file: Place) -> None:
    """A kill in between leaves the file, from which the segment is made again."""
    content = file.read_bytes()
    write_atomically(file / "000001", content[: content.rfind(b"\n") + 1])
    file.unlink()


def cut_torn_line(path: Path) -> None:
    """Removes what follows the last end of a line: a kill tore it."""
    with path.open("rb+") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
