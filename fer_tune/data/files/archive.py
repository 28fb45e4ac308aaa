"""The files of a zip, read member by member in memory; nothing is ever extracted."""

from __future__ import annotations

import io
import stat
import weakref
import zipfile
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import IO

from fer_tune.data.files.clutter import is_clutter
from fer_tune.data.files.tree import MAX_MEMBER_BYTES, MIB, SourceFile, Tree
from fer_tune.data.listing import Skipped, printable
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

#: A member above ``MODEST_BYTES`` may expand at most so many times. Deflate reaches 1,032 on zeros,
#: pictures stay below 100 unless they are blank.
MAX_EXPANSION = 200
MODEST_BYTES = 16 * MIB

#: The methods whose output can be bounded while it is made; bzip2 packs a gibibyte in 800 bytes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_tree(path: Path) -> Tree:
    """Lists the zip; its members are read later.

    Raises:
        DataError: the file is not a zip or its directory is damaged.
    """
    archive = _Zip(path)
    try:
        found = [member for member in archive.opened.infolist() if not member.is_dir()]
    except Exception as error:
        # A damaged directory raises BadZipFile, NotImplementedError, UnicodeDecodeError, ...
        raise DataError(
            "cannot be read as a zip file; it is truncated, damaged or another kind of file: "
            f"{error}",
            where=str(path),
            value=f"{path.stat().st_size:,} bytes",
            remedy="Download or create it again",
        ) from None
    members = [_member(archive, member) for member in found]
    kept = [
        m for m in members if isinstance(m, SourceFile) or not is_clutter(PurePosixPath(m.origin))
    ]
    return Tree(name=printable(str(path)), members=tuple(kept), ignored=len(members) - len(kept))


class _Zip:
    """A zip that is open as long as one of its members is referred to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def opened(self) -> zipfile.ZipFile:
        opened = zipfile.ZipFile(self._path)
        weakref.finalize(self, opened.close)
        return opened


def _member(archive: _Zip, member: zipfile.ZipInfo) -> SourceFile | Skipped:
    path = _inside(member)
    try:
        _check(member)
    except UnusableError as error:
        return Skipped(origin=str(path), reason=str(error))
    opening = partial(_open, archive, member)
    return SourceFile(path=path, open=opening, whole=opening)


def _inside(member: zipfile.ZipInfo) -> PurePosixPath:
    # Some Windows programs write backslashes, against the zip specification (4.4.17.1).
    return PurePosixPath(printable(member.filename.replace("\\", "/")))


def _check(member: zipfile.ZipInfo) -> None:
    path = _inside(member)
    drive = any(part.endswith(":") for part in path.parts[:1])
    if path.is_absolute() or drive or ".." in path.parts:
        raise UnusableError("its path leads out of the archive")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise UnusableError("a link or special file, not a picture")
    size, packed = member.file_size, max(1, member.compress_size)
    if size > MAX_MEMBER_BYTES:
        raise UnusableError(f"{size:,} bytes unpacked, at most {MAX_MEMBER_BYTES:,} are read")
    if size > MODEST_BYTES and size > MAX_EXPANSION * packed:
        raise UnusableError(
            f"expands {size // packed:,}-fold to {size:,} bytes: a zip bomb, not a picture"
        )
    if member.compress_type not in METHODS:
        raise UnusableError(
            "not compressed with deflate, the usual method; create the zip again with deflate"
        )


def _open(archive: _Zip, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        with archive.opened.open(member) as stream:
            # With a bound, unlike archive.read(), it stops where the member claims to end.
            return io.BytesIO(stream.read(member.file_size + 1))
    except Exception as error:
        # A damaged or encrypted member raises BadZipFile, zlib.error, RuntimeError,
        # NotImplementedError, EOFError, ...; each concerns this member alone.
        raise UnusableError(f"cannot be unpacked: {error}") from None
