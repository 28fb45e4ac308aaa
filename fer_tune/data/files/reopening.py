"""Streams that are opened again when they are needed.

A source may have more archives inside it than a process may have files open.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import IO

#: Streams that are open at once; of the usual 1,024 files of a process.
MOST_OPEN = 64
#: Those that are open now, the one used last at the end.
_open: OrderedDict[Reopened, None] = OrderedDict()


class Reopened(io.RawIOBase):
    """A seekable stream that may be closed meanwhile, in favour of others."""

    def __init__(self, opening: Callable[[], IO[bytes]]) -> None:
        """Opens it.

        Args:
            opening: gives the stream from its beginning; always the same bytes.

        Raises:
            UnusableError, EnvironmentFault: as ``opening`` does.
        """
        self._opening = opening
        self._position = 0
        self._stream: IO[bytes] | None = None
        self._current()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        found = self._current().read(size)
        self._position += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of a file."""
        self._position = self._current().seek(offset, whence)
        return self._position

    def tell(self) -> int:
        """As of a file."""
        return self._position

    def close(self) -> None:
        """Closes it for good."""
        self._release()
        super().close()

    def _current(self) -> IO[bytes]:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._stream is None:
            stream = self._opening()
            stream.seek(self._position)
            self._stream = stream
        _open[self] = None
        _open.move_to_end(self)
        while len(_open) > MOST_OPEN:
            next(iter(_open))._release()
        return self._stream

    def _release(self) -> None:
        _open.pop(self, None)
        if (stream := getattr(self, "_stream", None)) is not None:
            self._stream = None
            stream.close()
