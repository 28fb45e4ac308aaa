"""How much an archive may unpack to: bounds on files that may be made to fill memory or disk."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from fer_tune.data.pixels import UnusableError
from fer_tune.errors import EnvironmentFault, because

MIB = 1024**2
GIB = 1024**3

#: Largest picture or small label file read into memory, in bytes.
MAX_MEMBER_BYTES = 256 * MIB
#: Largest table or inner archive, unpacked, in bytes.
MAX_WHOLE_BYTES = 64 * GIB
#: A member above ``MODEST_BYTES`` may expand at most so many times. Deflate reaches 1,032 on zeros,
#: pictures stay below 100 unless they are blank.
MAX_EXPANSION = 200
MODEST_BYTES = 16 * MIB
#: Archives inside archives, the outermost counted.
MAX_DEPTH = 4
#: Files in all archives of a source.
MAX_FILES = 5_000_000
_PIECE = MIB


class TooManyFiles(Exception):
    """An archive holds more than ``MAX_FILES``."""


def expansion(size: int, packed: int) -> str | None:
    """Why ``packed`` bytes may not become ``size`` bytes, or None."""
    if size > MODEST_BYTES and size > MAX_EXPANSION * max(1, packed):
        return f"expands {size // max(1, packed):,}-fold to {size:,} bytes: a zip bomb"
    return None


def leads_out(path: PurePosixPath) -> bool:
    """Whether a path inside an archive leads out of it."""
    drive = any(part.endswith(":") for part in path.parts[:1])
    return path.is_absolute() or drive or ".." in path.parts


def unpacked(stream: IO[bytes], packed: int) -> IO[bytes]:
    """All of ``stream`` as a seekable file without a name, in memory while it is small.

    Nothing of it is left on the disk, however the process ends.

    Args:
        stream: gives the unpacked bytes, read in pieces.
        packed: bytes before unpacking.

    Raises:
        UnusableError: it expands too much.
        EnvironmentFault: the temporary folder has no room.
    """
    held: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=MODEST_BYTES)  # noqa: SIM115
    try:
        for piece in _bounded(stream, packed):
            held.write(piece)
    except OSError as error:
        held.close()
        if getattr(error, "errno", None) is None:  # damaged, as gzip and lzma report it
            raise UnusableError(f"cannot be unpacked: {because(error)}") from None
        raise EnvironmentFault(
            f"cannot unpack: {because(error)}",
            where=tempfile.gettempdir(),
            remedy="Free up space, or set TMPDIR to a larger disk",
        ) from None
    except BaseException:
        held.close()
        raise
    held.seek(0)
    return held


def _bounded(stream: IO[bytes], packed: int) -> Iterator[bytes]:
    size = 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > MAX_WHOLE_BYTES:
            raise UnusableError(f"more than {MAX_WHOLE_BYTES:,} bytes unpacked")
        if (reason := expansion(size, packed)) is not None:
            raise UnusableError(reason)
        yield piece


class Bounded(io.RawIOBase):
    """A seekable stream that is never asked for more at once than a picture may have.

    A tar's headers may declare a name of any length, which is then read in one piece.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if size > MAX_MEMBER_BYTES:
            raise UnusableError(f"declares {size:,} bytes in one piece")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()
