"""Which picture a table's row names: by its path, with or without folders and suffix."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from fer_tune.data.files.tree import SourceFile
from fer_tune.data.listing import Reading
from fer_tune.data.pixels import UnusableError

_Parts = tuple[str, ...]


class Ambiguous(UnusableError):
    """A name that several pictures have."""


class Pictures:
    """The pictures of a source, found by what a table calls them.

    A name is looked for below the table's folder, below the source's top, and by its last parts
    anywhere. Suffixes may be missing or differ; case matters only between names that differ in
    nothing else.
    """

    def __init__(
        self,
        files: Iterable[SourceFile],
        reading: Reading,
        called: Callable[[PurePosixPath], PurePosixPath] = lambda path: path,
    ) -> None:
        """
        Args:
            called: what tables call a file, by its path.
        """
        self._reading = reading
        self._by_path: dict[_Parts, SourceFile] = {}
        self._by_name: dict[str, list[SourceFile]] = defaultdict(list)
        self._by_stem: dict[str, list[SourceFile]] = defaultdict(list)
        for file in files:
            path = called(file.path)
            self._by_path[path.parts] = file
            self._by_name[_key(path.name)].append(file)
            self._by_stem[_key(path.stem)].append(file)

    def __len__(self) -> int:
        return len(self._by_path)

    def named(self, name: str, beside: PurePosixPath) -> SourceFile | None:
        """The picture that ``name`` stands for, or None.

        Args:
            beside: the table's folder inside the source.

        Raises:
            Ambiguous: several pictures have that name.
        """
        path = PurePosixPath(name.strip().replace("\\", "/"))
        parts = tuple(part for part in path.parts if part not in ("/", "."))
        if not parts:
            return None
        for top in (beside.parts, ()):
            if (exact := self._by_path.get((*top, *parts))) is not None:
                return exact
        candidates = (
            self._by_name.get(_key(parts[-1]))
            or self._by_stem.get(_key(parts[-1]))
            or self._by_stem.get(_key(PurePosixPath(parts[-1]).stem), [])
        )
        if not candidates:
            return None
        return self._best(name, parts, candidates, beside)

    def _best(
        self, name: str, parts: _Parts, candidates: list[SourceFile], beside: PurePosixPath
    ) -> SourceFile | None:
        fitting = [file for file in candidates if not self._other_split(parts, file)]
        for narrower in (
            lambda file: _common(parts[:-1], file.path.parts[:-1]),
            lambda file: _leading(beside.parts, file.path.parts),
            lambda file: file.path.name == parts[-1],
        ):
            best = max(map(narrower, fitting), default=0)
            fitting = [file for file in fitting if narrower(file) == best]
        if len(fitting) > 1:
            raise Ambiguous(
                f"{name[:80]!r} is the name of {len(fitting)} pictures, such as "
                f"{fitting[0].origin} and {fitting[1].origin}"
            )
        return fitting[0] if fitting else None

    def _other_split(self, parts: _Parts, file: SourceFile) -> bool:
        """Whether the name says another split than the picture's folders."""
        said = {split for part in parts[:-1] if (split := self._reading.split(part))}
        is_in = {split for part in file.path.parts[:-1] if (split := self._reading.split(part))}
        return bool(said and is_in and said != is_in)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _common(one: _Parts, other: _Parts) -> int:
    """How many last parts two paths share."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if _key(a) != _key(b):
            break
        count += 1
    return count


def _leading(top: _Parts, path: _Parts) -> int:
    """How many first parts two paths share."""
    count = 0
    for a, b in zip(top, path, strict=False):
        if a != b:
            break
        count += 1
    return count
