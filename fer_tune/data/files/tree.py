"""The files of a source, whether in a folder or in an archive: named, not yet read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from fer_tune.data.files.clutter import is_clutter
from fer_tune.data.files.limits import MAX_MEMBER_BYTES
from fer_tune.data.listing import Skipped
from fer_tune.data.pixels import Deep, Pixels, UnusableError, decode_raw


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: inside the source; printable.
        open: gives its bytes as a seekable stream, or raises ``UnusableError`` with the reason.
        whole: the same for a file that may exceed ``MAX_MEMBER_BYTES``, such as a table.
        stream: the same for reading its beginning alone.
        place: where it is on this machine, for errors.
        encoding: that its name was read in, where the name does not say it.
    """

    path: PurePosixPath
    open: Callable[[], IO[bytes]]
    whole: Callable[[], IO[bytes]]
    stream: Callable[[], IO[bytes]]
    place: str = ""
    encoding: str | None = None

    @property
    def origin(self) -> str:
        """Its name for messages and in the dataset."""
        return str(self.path)

    def read(self) -> bytes:
        """Its content.

        Raises:
            UnusableError: it cannot be read, or is larger than ``MAX_MEMBER_BYTES``.
        """
        with self.open() as stream:
            content = stream.read(MAX_MEMBER_BYTES + 1)
        if len(content) > MAX_MEMBER_BYTES:
            raise UnusableError(f"more than {MAX_MEMBER_BYTES:,} bytes")
        return content

    def picture(self) -> Pixels | Deep:
        """Its picture, as :func:`fer_tune.data.pixels.decode_raw` gives it."""
        with self.open() as stream:
            return decode_raw(stream)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """All files of a source.

    Attributes:
        name: what the user named, for messages.
        members: files, and those that cannot be read, in the order of the source.
        ignored: files skipped silently that are not in ``members``.
        root: of a folder.
    """

    name: str
    members: tuple[SourceFile | Skipped, ...]
    ignored: int = 0
    root: Path | None = None

    @property
    def files(self) -> list[SourceFile]:
        """Files that can be read, clutter included."""
        return [member for member in self.members if isinstance(member, SourceFile)]

    def without_clutter(self) -> tuple[list[SourceFile | Skipped], int]:
        """Members that are no clutter, and how many files are clutter."""
        kept: list[SourceFile | Skipped] = [
            member
            for member in self.members
            if isinstance(member, Skipped) or not is_clutter(member.path)
        ]
        return kept, len(self.members) - len(kept) + self.ignored
