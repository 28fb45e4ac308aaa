"""The files of a zip, read member by member in memory; nothing is ever extracted."""

from __future__ import annotations

import io
import stat
import weakref
import zipfile
import zlib
from functools import partial
from pathlib import PurePosixPath
from typing import IO

from fer_tune.data.files import limits
from fer_tune.data.files.limits import (
    MAX_MEMBER_BYTES,
    MAX_WHOLE_BYTES,
    expansion,
    leads_out,
    unpacked,
)
from fer_tune.data.files.names import Names
from fer_tune.data.files.tree import SourceFile
from fer_tune.data.listing import Skipped, printable
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import because

#: Flag of a member whose name is UTF-8.
_IS_UTF8 = 0x800
#: The methods whose output can be bounded while it is made; bzip2 packs a gibibyte in 800 bytes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_members(stream: IO[bytes], encoding: str | None = None) -> list[SourceFile | Skipped]:
    """The files of a zip, in its order; it stays open as long as one of them is referred to.

    Args:
        encoding: of names that are not marked as UTF-8; None to guess it.

    Raises:
        UnusableError: it is not a zip, or its directory is damaged.
        TooManyFiles: it has more than ``MAX_FILES``.
    """
    try:
        archive = _Zip(stream)
        found = [member for member in archive.opened.infolist() if not member.is_dir()]
    except Exception as error:
        # A damaged directory raises BadZipFile, NotImplementedError, UnicodeDecodeError, ...
        raise UnusableError(str(error)) from None
    if len(found) > limits.MAX_FILES:
        raise limits.TooManyFiles
    raw = [name for member in found if (name := _raw_name(member)) is not None]
    names = Names(raw, encoding)
    return [_member(archive, member, names) for member in found]


def _raw_name(member: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name that does not say its encoding; None for others."""
    if member.flag_bits & _IS_UTF8 or member.filename.isascii():
        return None
    try:
        return member.filename.encode("cp437")  # what zipfile has read it as
    except UnicodeEncodeError:
        return None  # from a field for names in Unicode


class _Zip:
    def __init__(self, stream: IO[bytes]) -> None:
        weakref.finalize(self, stream.close)
        self.opened = zipfile.ZipFile(stream)


def _member(archive: _Zip, member: zipfile.ZipInfo, names: Names) -> SourceFile | Skipped:
    raw = _raw_name(member)
    path = _inside(member.filename if raw is None else names.text(raw))
    try:
        _check(member, path)
    except UnusableError as error:
        return Skipped(origin=str(path), reason=str(error))
    return SourceFile(
        path=path,
        open=partial(_open, archive, member),
        whole=partial(_whole, archive, member),
        stream=partial(_stream, archive, member),
        encoding=None if raw is None else names.encoding,
    )


def _inside(name: str) -> PurePosixPath:
    # Some Windows programs write backslashes, against the zip specification (4.4.17.1).
    return PurePosixPath(printable(name.replace("\\", "/")))


def _check(member: zipfile.ZipInfo, path: PurePosixPath) -> None:
    if leads_out(path):
        raise UnusableError("its path leads out of the archive")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise UnusableError("a link or special file, not a picture")
    if member.compress_type not in METHODS:
        raise UnusableError(
            "not compressed with deflate, the usual method; create the zip again with deflate"
        )


def _check_size(member: zipfile.ZipInfo, most: int) -> None:
    size = member.file_size
    if size > most:
        raise UnusableError(f"{size:,} bytes unpacked, at most {most:,} are read")
    if (reason := expansion(size, member.compress_size)) is not None:
        raise UnusableError(f"{reason}, not a picture")


def _open(archive: _Zip, member: zipfile.ZipInfo) -> IO[bytes]:
    _check_size(member, MAX_MEMBER_BYTES)
    try:
        with archive.opened.open(member) as stream:
            # With a bound, unlike archive.read(), it stops where the member claims to end.
            return io.BytesIO(stream.read(member.file_size + 1))
    except Exception as error:
        # A damaged or encrypted member raises BadZipFile, zlib.error, RuntimeError,
        # NotImplementedError, EOFError, ...; each concerns this member alone.
        raise UnusableError(f"cannot be unpacked: {error}") from None


def _stream(archive: _Zip, member: zipfile.ZipInfo) -> IO[bytes]:
    _check_size(member, MAX_WHOLE_BYTES)
    try:
        return archive.opened.open(member)
    except Exception as error:
        raise UnusableError(f"cannot be unpacked: {because(error)}") from None


def _whole(archive: _Zip, member: zipfile.ZipInfo) -> IO[bytes]:
    with _stream(archive, member) as stream:
        try:
            return unpacked(stream, member.compress_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise UnusableError(f"cannot be unpacked: {because(error)}") from None
