"""A zip of a picture folder, read member by member in memory; nothing is ever extracted."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from fer_tune.data.pixels import Pixels, UnusableError, decode
from fer_tune.data.sources.base import (
    RawPicture,
    Reading,
    Skipped,
    Source,
    class_and_split,
    is_clutter,
    printable,
)
from fer_tune.errors import DataError

MIB = 1024**2

#: Largest uncompressed member read into memory, in bytes.
MAX_MEMBER_BYTES = 256 * MIB

#: A member above ``MODEST_BYTES`` may expand at most so many times. Deflate reaches 1,032 on zeros,
#: pictures stay below 100 unless they are blank.
MAX_EXPANSION = 200
MODEST_BYTES = 16 * MIB

#: The methods whose output can be bounded while it is made; bzip2 packs a gibibyte in 800 bytes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_archive(path: Path, reading: Reading) -> Source:
    """Reads the zip's directory at once and its members during iteration.

    Raises:
        DataError: the file is not a zip or its directory is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [member for member in archive.infolist() if not member.is_dir()]
    except Exception as error:
        # A damaged directory raises BadZipFile, NotImplementedError, UnicodeDecodeError, ...
        raise DataError(
            "cannot be read as a zip file; it is truncated, damaged or another kind of file: "
            f"{error}",
            where=str(path),
            value=f"{path.stat().st_size:,} bytes",
            remedy="Download or create it again",
        ) from None
    members = [member for member in found if not is_clutter(_inside(member))]
    return Source(
        items=_items(path, members, reading),
        total=len(members),
        ignored=len(found) - len(members),
    )


def _items(
    path: Path, members: list[zipfile.ZipInfo], reading: Reading
) -> Iterator[RawPicture | Skipped]:
    with zipfile.ZipFile(path) as archive:
        for member in members:
            origin = str(_inside(member))
            try:
                _check(member)
                label, split = class_and_split(_inside(member), reading)
            except UnusableError as error:
                yield Skipped(origin=origin, reason=str(error))
            else:
                load = partial(_load, archive, member)
                yield RawPicture(origin=origin, class_name=label, split=split, load=load)


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


def _load(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Pixels:
    try:
        with archive.open(member) as stream:
            # With a bound, unlike archive.read(), it stops where the member claims to end.
            data = stream.read(member.file_size + 1)
    except Exception as error:
        # A damaged or encrypted member raises BadZipFile, zlib.error, RuntimeError,
        # NotImplementedError, EOFError, ...; each concerns this member alone.
        raise UnusableError(f"cannot be unpacked: {error}") from None
    return decode(io.BytesIO(data))
