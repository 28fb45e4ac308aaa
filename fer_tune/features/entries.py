"""The file of one bank entry: written once, memory-mapped, checked before use.

::

    header of an NPY file | rows | CRC-32 of key, header and rows, 4 bytes

The header of a file is not interpreted: it and the size must be exactly those of the requested
entry. The checksum finds damage; the owner of the file protects against forgery. It is computed
when a process first maps a file, and again only if the file has changed. That takes about 0.7 s per
GiB, once for all epochs and trials of a process: an epoch reads the same bytes in half that time or
less, then trains on them. SHA-256 would take a third longer and add nothing.
"""

from __future__ import annotations

import errno
import io
import os
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.storage.private import is_private_file

#: NumPy has no bfloat16, so such features are stored as their bits.
_STORED = {torch.bfloat16: np.int16, torch.float32: np.float32, torch.uint8: np.uint8}
_CHECKSUM_BYTES = 4
_PIECE = 4 * 1024**2

#: Device, inode, size and time of change of a file.
_State = tuple[int, int, int, int]
#: Files whose content was valid when this process read or wrote it.
_checked: set[_State] = set()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The expected properties of an entry's file.

    Attributes:
        key: content address, 40 hex digits.
        shape: of the array, rows first.
        dtype: of the features.
        label: how the file's name begins, as :func:`fer_tune.features.folder.label` gives it.
    """

    key: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    label: str = ""

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.label}{self.key}.npy"

    @cached_property
    def header(self) -> bytes:
        """The first bytes of the file."""
        out = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            out,
            {
                "descr": np.lib.format.dtype_to_descr(self.stored_dtype),
                "fortran_order": False,
                "shape": self.shape,
            },
        )
        return out.getvalue()

    @property
    def stored_dtype(self) -> np.dtype[np.generic]:
        return np.dtype(_STORED[self.dtype])

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        rows = prod(self.shape) * self.stored_dtype.itemsize
        return len(self.header) + rows + _CHECKSUM_BYTES

    @property
    def first_checksum(self) -> int:
        """The checksum of key and header."""
        return zlib.crc32(self.header, zlib.crc32(self.key.encode()))


class EntryWriter:
    """Writes a new file, row by row.

    By ordinary writes into space that is reserved first: a store through a memory map would kill
    the process on a full disk, and without the space nothing need be computed.

    Raises:
        OSError: no room, or another disk error; a partial file stays.
    """

    def __init__(self, path: Path, entry: Entry) -> None:
        self._entry = entry
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._out = os.fdopen(handle, "wb", buffering=0)
        try:
            _reserve(handle, entry.size)
            _write_all(self._out, entry.header)
        except BaseException:
            self._out.close()
            raise
        self._checksum, self._rows = entry.first_checksum, 0
        self.is_finished = False

    def add(self, chunk: Tensor) -> None:
        """Writes the next rows."""
        stored = as_stored(chunk.to(self._entry.dtype))
        assert stored.shape[1:] == self._entry.shape[1:], f"{stored.shape} in {self._entry.shape}"
        data = stored.data.cast("B")
        self._checksum = zlib.crc32(data, self._checksum)
        _write_all(self._out, data)
        self._rows += len(stored)

    def finish(self) -> None:
        """Writes the checksum, after the last row."""
        expected = self._entry.shape[0]
        assert self._rows == expected, f"{self._rows} rows for an entry of {expected}"
        _write_all(self._out, self._checksum.to_bytes(_CHECKSUM_BYTES, "little"))
        _checked.add(_state(os.fstat(self._out.fileno())))
        self.is_finished = True

    def close(self) -> None:
        self._out.close()


def mapped(path: Path, entry: Entry) -> NDArray[np.generic] | None:
    """The entry's array, read-only, with its access time updated; None if the file is invalid.

    Raises:
        OSError: the file cannot be read; FileNotFoundError if there is none.
    """
    # O_NONBLOCK: opening a pipe would wait for its writer.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb", buffering=0) as file:
        found = os.fstat(handle)
        if not is_private_file(found) or found.st_size != entry.size:
            return None
        if _state(found) not in _checked:
            if not _is_right(file, entry):
                return None
            _checked.add(_state(found))
        with suppress(OSError):  # on a read-only disk
            # The modification time stays: it shows a change.
            os.utime(handle, ns=(time.time_ns(), found.st_mtime_ns))
        return np.memmap(
            file, entry.stored_dtype, mode="r", offset=len(entry.header), shape=entry.shape
        )


def as_stored(tensor: Tensor) -> NDArray[np.generic]:
    """A tensor's values as the bank stores them."""
    tensor = tensor.cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.int16)
    stored: NDArray[np.generic] = tensor.numpy()
    return stored


def as_tensor(rows: NDArray[np.generic], dtype: torch.dtype) -> Tensor:
    """Stored rows (a copy of part of a memory map) as a tensor of ``dtype``."""
    tensor = torch.from_numpy(rows)
    return tensor.view(torch.bfloat16) if dtype == torch.bfloat16 else tensor


def _is_right(file: io.FileIO, entry: Entry) -> bool:
    """Checks the whole file, with reads: a bad block under a memory map kills the process."""
    if file.read(len(entry.header)) != entry.header:
        return False
    left = entry.size - len(entry.header) - _CHECKSUM_BYTES
    checksum, buffer = entry.first_checksum, memoryview(bytearray(min(_PIECE, left)))
    while left:
        count = file.readinto(buffer[:left])
        if not count:
            return False
        checksum = zlib.crc32(buffer[:count], checksum)
        left -= count
    return file.read(_CHECKSUM_BYTES) == checksum.to_bytes(_CHECKSUM_BYTES, "little")


def _reserve(handle: int, size: int) -> None:
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot
            raise


def _write_all(out: io.FileIO, data: bytes | memoryview) -> None:
    """Writes everything: an unbuffered write may be partial."""
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]


def _state(found: os.stat_result) -> _State:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
