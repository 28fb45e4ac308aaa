"""The files of a tar, plain or compressed; nothing is ever extracted."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import weakref
import zlib
from functools import partial
from pathlib import PurePosixPath
from typing import IO, cast

from fer_tune.data.files import limits
from fer_tune.data.files.limits import MAX_MEMBER_BYTES, Bounded, leads_out, unpacked
from fer_tune.data.files.names import Names
from fer_tune.data.files.tree import SourceFile
from fer_tune.data.listing import Skipped, printable
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import because

#: What a compressed file begins with.
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
#: What damaged compressed data raises.
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, ValueError)


def tar_members(stream: IO[bytes], encoding: str | None = None) -> list[SourceFile | Skipped]:
    """The files of a tar, in its order; it stays open as long as one of them is referred to.

    A compressed one is unpacked into a file without a name first, so that its members can be read
    in any order.

    Args:
        encoding: of names that are not UTF-8; None to guess it.

    Raises:
        UnusableError: it is not a tar, is damaged, or expands too much.
        TooManyFiles: it has more than ``MAX_FILES``.
        EnvironmentFault: there is no room to unpack it.
    """
    plain = decompressed(stream)
    try:
        archive = _Tar(plain)
        found: list[tarfile.TarInfo] = []
        for member in archive.opened:
            if len(found) >= limits.MAX_FILES:
                raise limits.TooManyFiles
            if not member.isdir():
                found.append(member)
    except (UnusableError, limits.TooManyFiles):
        raise
    except Exception as error:
        # Damaged headers raise TarError, but also ValueError, OverflowError, ...
        raise UnusableError(because(error)) from None
    raw = [name for member in found if (name := _raw_name(member)) is not None]
    names = Names(raw, encoding)
    return [_member(archive, member, names) for member in found]


def _raw_name(member: tarfile.TarInfo) -> bytes | None:
    """The bytes of a name that is not UTF-8, as old tars have; None for others."""
    try:
        member.name.encode()
    except UnicodeEncodeError:
        return member.name.encode(errors="surrogateescape")
    return None


def decompressed(stream: IO[bytes]) -> IO[bytes]:
    """A seekable stream of what ``stream`` holds: itself, unless it is compressed.

    Raises:
        UnusableError: damaged, or it expands too much.
        EnvironmentFault: there is no room to unpack it.
    """
    head = stream.read(6)
    packed = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    kind = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    if kind is None:
        return stream
    with stream, _decompressor(kind, stream) as plain:
        try:
            return unpacked(plain, packed)
        except _DAMAGED as error:
            raise UnusableError(f"cannot be unpacked: {because(error)}") from None


def _decompressor(kind: str, stream: IO[bytes]) -> IO[bytes]:
    if kind == "gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb"))
    return cast("IO[bytes]", bz2.BZ2File(stream) if kind == "bz2" else lzma.LZMAFile(stream))


class _Tar:
    def __init__(self, stream: IO[bytes]) -> None:
        weakref.finalize(self, stream.close)
        self.opened = tarfile.open(fileobj=Bounded(stream), mode="r:", encoding="utf-8")  # noqa: SIM115


def _member(archive: _Tar, member: tarfile.TarInfo, names: Names) -> SourceFile | Skipped:
    raw = _raw_name(member)
    path = PurePosixPath(printable(member.name if raw is None else names.text(raw)))
    if leads_out(path):
        return Skipped(origin=str(path), reason="its path leads out of the archive")
    if not member.isreg() or member.issparse():
        return Skipped(origin=str(path), reason="a link or special file, not a picture")
    return SourceFile(
        path=path,
        open=partial(_open, archive, member),
        whole=partial(_whole, archive, member),
        stream=partial(_whole, archive, member),
        encoding=None if raw is None else names.encoding,
    )


def _open(archive: _Tar, member: tarfile.TarInfo) -> IO[bytes]:
    if member.size > MAX_MEMBER_BYTES:
        raise UnusableError(f"{member.size:,} bytes, at most {MAX_MEMBER_BYTES:,} are read")
    with _whole(archive, member) as stream:
        try:
            return io.BytesIO(stream.read())
        except (OSError, tarfile.TarError) as error:
            raise UnusableError(f"cannot be unpacked: {because(error)}") from None


def _whole(archive: _Tar, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.opened.extractfile(member)
    assert stream is not None, member.name
    return stream
