"""Files named with ``--include``, which would be left out otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from fer_tune.errors import EnvironmentFault
from fer_tune.escaping import shell_word


@dataclass(frozen=True, kw_only=True)
class Included:
    """Files relative to the top of the tree.

    Attributes:
        exactly: named individually; sent whatever they hold.
        broadly: named by a folder or pattern, which may match more than intended: secrets among
            them are not sent.
    """

    exactly: frozenset[PurePosixPath]
    broadly: frozenset[PurePosixPath]

    @property
    def files(self) -> frozenset[PurePosixPath]:
        """All of them."""
        return self.exactly | self.broadly


def chosen(root: Path, patterns: Sequence[str], listed: set[PurePosixPath]) -> Included:
    """The files that ``patterns`` name.

    Each is a file, also one that git ignores; a folder, with everything in it; or a pattern of
    :mod:`fnmatch` for names or whole paths among ``listed``, in which ``*`` matches ``/`` too.

    Raises:
        EnvironmentFault: one leads out of the tree, or names nothing.
    """
    exactly: set[PurePosixPath] = set()
    broadly: set[PurePosixPath] = set()
    for pattern in patterns:
        named = PurePosixPath(pattern)
        if named.is_absolute() or ".." in named.parts or not named.parts:
            raise _refused(pattern, "must name something inside the working tree", root)
        place = root / named
        try:
            if not place.resolve().is_relative_to(root):
                raise _refused(pattern, "is outside the working tree", root)
            if place.is_file():
                exactly.add(named)
                continue
            found = set(below(root, _is_no_repository, place)) if place.is_dir() else set()
        except (OSError, ValueError, RuntimeError):  # too long, a null byte, a loop of links
            found = set()
        form = pattern.removeprefix("./")
        found = found or {one for one in listed if _matches(one, form)}
        if not found:
            raise _refused(pattern, "matches no file of the working tree", root)
        broadly |= found
    return Included(exactly=frozenset(exactly), broadly=frozenset(broadly))


def below(
    root: Path, searched: Callable[[str], bool], start: Path | None = None
) -> Iterator[PurePosixPath]:
    """Files and links below ``start``, relative to ``root``; links are not followed.

    Args:
        searched: whether a folder of that name is looked into.
        start: by default ``root``.
    """
    for folder, folders, names in os.walk(start or root):
        linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = [name for name in folders if searched(name)]
        for name in (*names, *linked):
            yield PurePosixPath((Path(folder) / name).relative_to(root).as_posix())


def _matches(file: PurePosixPath, form: str) -> bool:
    return fnmatchcase(str(file), form) or fnmatchcase(file.name, form)


def _is_no_repository(folder: str) -> bool:
    return folder != ".git"


def link_refused(name: PurePosixPath, target: PurePosixPath) -> EnvironmentFault:
    """A name that leads by a link to ``target``, a file of the tree that is not sent."""
    return EnvironmentFault(
        "is a link, or below one; name the file that it points to",
        where="--include",
        value=str(name),
        remedy=f"Use --include {shell_word(target)}",
    )


def _refused(pattern: str, what: str, root: Path) -> EnvironmentFault:
    return EnvironmentFault(
        what,
        where="--include",
        value=pattern,
        remedy=f"Name a file or folder relative to {root}, or a pattern for files that git does "
        "not ignore, such as 'docs/*.png'",
    )
