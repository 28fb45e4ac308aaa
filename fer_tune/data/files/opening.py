"""A tree of files from whatever holds them: a folder, an archive, archives inside both, one file.

Members of an inner archive appear below its name without the suffix: ``train.zip`` with
``happy/1.png`` gives ``train/happy/1.png``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from fer_tune.data.files import limits
from fer_tune.data.files.archive import zip_members
from fer_tune.data.files.clutter import is_clutter, is_hidden
from fer_tune.data.files.folder import folder_members
from fer_tune.data.files.limits import MAX_DEPTH
from fer_tune.data.files.reopening import Reopened
from fer_tune.data.files.tar import decompressed, tar_members
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.listing import Skipped, printable
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
_COMPRESSED = (".gz", ".bz2", ".xz")
_FOREIGN = (".rar", ".7z", ".tar.zst", ".zst")
_BESIDE = "its files are unpacked beside it already"
#: Files of an archive that are compared with those beside it.
_COMPARED = 5


def folder_tree(root: Path, *, follow_links: bool, encoding: str | None = None) -> Tree:
    """The files of a folder, those of archives in it included.

    Raises:
        DataError: too many files.
        EnvironmentFault: no room to unpack an inner archive.
    """
    members = folder_members(root, follow_links=follow_links, encoding=encoding)
    tree = _tree(printable(str(root)), members, encoding, between="/")
    return replace(tree, root=root)


def archive_tree(path: Path, encoding: str | None = None) -> Tree | None:
    """The files of a zip or tar, those of archives in it included; None for another kind of file.

    Raises:
        DataError: damaged, or too many files.
        EnvironmentFault: no room to unpack it.
    """
    name = path.name.casefold()
    if name.endswith(_FOREIGN):
        raise DataError(
            "this kind of archive is not read", where=str(path), remedy="Unpack it, and import that"
        )
    kind = kind_of(name)
    if kind is None:
        return None
    inner = file_on_disk(path, PurePosixPath(printable(path.name)))
    try:
        found = _inside(kind, inner, encoding)
    except UnusableError as error:
        raise DataError(
            f"cannot be read as a {kind} file; it is truncated, damaged or another kind of file: "
            f"{error}",
            where=str(path),
            value=f"{path.stat().st_size:,} bytes",
            remedy="Download or create it again",
        ) from None
    return _tree(printable(str(path)), found, encoding, between=": ")


def file_tree(path: Path) -> Tree:
    """One file."""
    file = file_on_disk(path, PurePosixPath(printable(path.name)))
    return Tree(name=printable(str(path)), members=(file,))


def file_on_disk(path: Path, inside: PurePosixPath) -> SourceFile:
    """A file that the user named.

    Args:
        inside: its path inside the source.
    """

    def opening() -> IO[bytes]:
        return path.open("rb")

    return SourceFile(
        path=inside, open=opening, whole=opening, stream=opening, place=printable(str(path))
    )


def kind_of(name: str) -> str | None:
    """``zip``, ``tar`` or ``compressed`` by a file's name in lower case; None for other files."""
    if name.endswith(".zip"):
        return "zip"
    if name.endswith(_TARS):
        return "tar"
    return "compressed" if name.endswith(_COMPRESSED) else None


def stem_of(path: PurePosixPath) -> PurePosixPath:
    """A path without the suffix of its archive."""
    name = path.name.casefold()
    suffixes = sorted((".zip", *_TARS, *_COMPRESSED), key=len, reverse=True)
    suffix = next(one for one in suffixes if name.endswith(one))
    stem = path.name[: -len(suffix)]
    return path.with_name(stem) if stem else path


def _tree(
    name: str, members: Iterable[SourceFile | Skipped], encoding: str | None, *, between: str
) -> Tree:
    found = list(members)
    kept: list[SourceFile | Skipped] = []
    taken = {one.path: one for one in found if isinstance(one, SourceFile)}
    # Breadth first: an archive beside its own unpacked files is seen as such.
    ignored, level = 0, found
    for depth in range(MAX_DEPTH):
        below: list[SourceFile | Skipped] = []
        for member in level:
            if isinstance(member, Skipped):
                # A bad member that is clutter by its name is not worth a message.
                clutter = is_clutter(PurePosixPath(member.origin))
                ignored += clutter
                kept += [] if clutter else [member]
                continue
            kind = None if is_clutter(member.path) else kind_of(member.path.name.casefold())
            if kind is None:
                kept.append(member)
                continue
            inner = _opened(kind, member, encoding, deep=depth == MAX_DEPTH - 1)
            files = [one for one in inner if isinstance(one, SourceFile)]
            if _is_unpacked(files, member, taken):
                kept.append(Skipped(origin=member.origin, reason=_BESIDE))
                continue
            taken.update((one.path, one) for one in files)
            below += inner
            if len(kept) + len(below) > limits.MAX_FILES:
                raise _too_many(name)
        level = below
    members = (
        replace(one, place=f"{name}{between}{one.path}") if isinstance(one, SourceFile) else one
        for one in (*kept, *level)
    )
    return Tree(name=name, members=tuple(members), ignored=ignored)


def _is_unpacked(
    files: list[SourceFile], archive: SourceFile, taken: Mapping[PurePosixPath, SourceFile]
) -> bool:
    """Whether all files of an inner archive are beside it: in a folder of its name, or without one.

    The first files are compared: two archives may have names in common, and so may a folder and
    the archive of other pictures.
    """
    # What macOS adds to an archive is in no unpacked folder.
    own = [one for one in files if not (is_clutter(one.path) and is_hidden(one.path))]
    if not own:
        return False
    below = stem_of(archive.path)
    places = [[one.path for one in own]]
    if all(one.path.is_relative_to(below) for one in own):
        places.append([archive.path.parent / one.path.relative_to(below) for one in own])
    return any(
        all(path in taken for path in paths)
        and all(_same(one, taken[path]) for one, path in zip(own[:_COMPARED], paths, strict=False))
        for paths in places
    )


def _same(one: SourceFile, other: SourceFile) -> bool:
    try:
        return one.read() == other.read()
    except UnusableError:
        return False


def _opened(
    kind: str, member: SourceFile, encoding: str | None, *, deep: bool
) -> list[SourceFile | Skipped]:
    """The members of an inner archive, below its name; or the archive, as skipped."""
    try:
        if deep:
            raise UnusableError(f"archives inside archives, more than {MAX_DEPTH} deep")
        found = _inside(kind, member, encoding)
    except UnusableError as error:
        return [Skipped(origin=member.origin, reason=str(error))]
    if kind == "compressed":
        return found
    below = stem_of(member.path)
    return [
        replace(one, path=below / one.path)
        if isinstance(one, SourceFile)
        else Skipped(origin=str(below / one.origin), reason=one.reason)
        for one in found
    ]


def _inside(kind: str, member: SourceFile, encoding: str | None) -> list[SourceFile | Skipped]:
    if kind == "compressed":
        opening = partial(_plain, member)
        return [SourceFile(path=stem_of(member.path), open=opening, whole=opening, stream=opening)]
    # A compressed tar is unpacked once for all of its members.
    stream = cast("IO[bytes]", Reopened(member.whole if kind == "zip" else partial(_plain, member)))
    try:
        members = zip_members if kind == "zip" else tar_members
        return members(stream, encoding)
    except limits.TooManyFiles:
        raise _too_many(member.place or member.origin) from None
    except BaseException:
        stream.close()
        raise


def _too_many(where: str) -> DataError:
    return DataError(
        f"holds more than {limits.MAX_FILES:,} files",
        where=where,
        remedy="Import a part of it",
    )


def _plain(member: SourceFile) -> IO[bytes]:
    return decompressed(member.whole())
