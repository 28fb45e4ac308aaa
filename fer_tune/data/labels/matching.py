"""Which picture a table's row names: by its path, with or without folders and suffix."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

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
        self._twice: set[PurePosixPath] = set()
        for file in files:
            path = called(file.path)
            if path.parts in self._by_path:
                self._twice.add(file.path)
            self._by_path[path.parts] = file
            self._by_name[_key(path.name)].append(file)
            self._by_stem[_key(path.stem)].append(file)

    def __len__(self) -> int:
        return len(self._by_path)

    def named(
        self, name: str, beside: PurePosixPath, *, by_folder: bool = False
    ) -> SourceFile | None:
        """The picture that ``name`` stands for, or None.

        Args:
            beside: the table's folder inside the source.
            by_folder: whether a name with folders needs a picture in the last of them.

        Raises:
            Ambiguous: several pictures have that name.
        """
        found = self._found(name, parts_of(name), beside, by_folder)
        if found is None and (meant := _unescaped(name)) != name:
            return self._found(meant, parts_of(meant), beside, by_folder)
        return found

    def _found(
        self, name: str, parts: _Parts, beside: PurePosixPath, by_folder: bool
    ) -> SourceFile | None:
        if not parts:
            return None
        if (exact := self._exact(parts, beside)) is not None:
            if exact.path in self._twice:
                raise Ambiguous(f"{name[:80]!r} is the name of a file and of one in an archive")
            return exact
        candidates = self._candidates(parts)
        if by_folder and len(parts) > 1:
            candidates = [file for file in candidates if self._same_folder(parts, file)]
        if not candidates:
            return None
        return self._best(name, parts, candidates, beside)

    def has_folder(self, name: str, beside: PurePosixPath) -> bool:
        """Whether ``name`` has folders, and a picture of that name is in the last of them.

        Args:
            beside: the table's folder inside the source.
        """
        parts = parts_of(name)
        if len(parts) < 2:
            return False
        return self._exact(parts, beside) is not None or any(
            self._same_folder(parts, file) for file in self._candidates(parts)
        )

    def _exact(self, parts: _Parts, beside: PurePosixPath) -> SourceFile | None:
        found = (self._by_path.get((*top, *parts)) for top in (beside.parts, ()))
        return next((file for file in found if file is not None), None)

    def _candidates(self, parts: _Parts) -> list[SourceFile]:
        """Pictures with that file name, else without regard to suffixes."""
        return (
            self._by_name.get(_key(parts[-1]))
            or self._by_stem.get(_key(parts[-1]))
            or self._by_stem.get(_key(PurePosixPath(parts[-1]).stem), [])
        )

    def _same_folder(self, parts: _Parts, file: SourceFile) -> bool:
        """Whether the folder above is the same one, or names the same split in other words."""
        said, is_in = parts[-2], file.path.parent.name
        split = self._reading.split(said)
        return _key(said) == _key(is_in) or (
            split is not None and split == self._reading.split(is_in)
        )

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


def parts_of(name: str) -> _Parts:
    """Folders and file name that a table's cell names; empty if it names none."""
    path = PurePosixPath(name.strip().replace("\\", "/"))
    return tuple(part for part in path.parts if part not in ("/", "."))


def _unescaped(name: str) -> str:
    """What a URL, or a name that was escaped for one, stands for."""
    try:
        path = urlsplit(name).path if "://" in name else name
    except ValueError:  # no URL after all
        path = name
    return unquote(path)


def contradict(one: _Parts, other: _Parts) -> bool:
    """Whether two names of one file are in different folders, as far as both say."""
    folders = zip(reversed(one[:-1]), reversed(other[:-1]), strict=False)
    return any(_key(a) != _key(b) for a, b in folders)


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
