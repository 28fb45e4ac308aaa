"""The bank: prefix outputs on disk, content-addressed, shared by trials, bounded.

An entry is one ``.npy`` file, written whole under a dot-name and renamed into place, so it is
either there and right or not there. Whoever needs an entry first computes it under its lock;
everyone after memory-maps it. When the bank is full, the entries unused for longest go; a process
that still has one mapped keeps it until it lets go (the file's name vanishes, not its pages).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

#: NumPy has no bfloat16, so such features are stored as their bits.
_STORED = {torch.bfloat16: np.int16, torch.float32: np.float32, torch.uint8: np.uint8}
_DEFAULT_SHARE = 0.25  # of the disk that is free when the bank is opened
_DEFAULT_LIMIT = 32 * 1024**3
_ABANDONED_S = 3600.0  # a writer touches its file every chunk; this long without one, it is dead


def bank_folder() -> Path:
    """``$FER_TUNE_BANK``, or a folder of this user's on the machine's temporary disk."""
    set_by_user = os.environ.get("FER_TUNE_BANK")
    return Path(set_by_user or Path(tempfile.gettempdir()) / f"fer_tune-bank-{os.getuid()}")


def entry_key(parts: Mapping[str, object]) -> str:
    """Content address of an entry: SHA-256 of everything that its values depend on."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


class FeatureBank:
    """A bounded folder of feature files.

    Args:
        root: the folder; made when absent.
        max_bytes: bound on the files' total size; by default a quarter of what is free, at most
            32 GiB.
    """

    def __init__(self, root: Path, max_bytes: int | None = None) -> None:
        self.root = root
        self.root.mkdir(parents=True, exist_ok=True)
        free = int(shutil.disk_usage(root).free * _DEFAULT_SHARE)
        self.max_bytes = min(free, _DEFAULT_LIMIT) if max_bytes is None else max_bytes

    def fits(self, shape: tuple[int, ...], dtype: torch.dtype) -> bool:
        """Whether an entry of that shape may be kept at all."""
        return int(np.prod(shape)) * dtype.itemsize <= self.max_bytes

    def get(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        chunks: Callable[[], Iterable[Tensor]],
    ) -> tuple[NDArray[np.generic], bool]:
        """The entry ``key``, computed from ``chunks()`` if nobody has yet.

        Args:
            shape: of the whole entry, rows first.
            chunks: gives tensors whose rows, one after the other, are the entry's rows.

        Returns:
            A read-only memory map in the stored dtype and whether it was found ready (a hit).
        """
        path = self.root / f"{key}.npy"
        with FileLock(self.root / f".{key}.lock"):
            found = self._find(path)
            if found is None:
                self._make_room(int(np.prod(shape)) * dtype.itemsize)
                self._write(path, shape, dtype, chunks())
            mapped = np.load(path, mmap_mode="r") if found is None else found
        assert mapped.shape == shape, f"bank entry {key}: {mapped.shape}, expected {shape}"
        return mapped, found is not None

    @staticmethod
    def _find(path: Path) -> NDArray[np.generic] | None:
        """The entry if it is there, marked as used; another process may just be dropping it."""
        try:
            os.utime(path)
            mapped: NDArray[np.generic] = np.load(path, mmap_mode="r")
        except FileNotFoundError:
            return None
        return mapped

    def _write(
        self, path: Path, shape: tuple[int, ...], dtype: torch.dtype, chunks: Iterable[Tensor]
    ) -> None:
        scratch = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.npy")
        try:
            out = np.lib.format.open_memmap(scratch, mode="w+", dtype=_STORED[dtype], shape=shape)
            row = 0
            for chunk in chunks:
                rows = as_stored(chunk.to(dtype))
                out[row : row + len(rows)] = rows
                row += len(rows)
            assert row == shape[0], f"{row} rows for an entry of {shape[0]}"
            out.flush()
            del out
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)

    def _make_room(self, wanted: int) -> None:
        with FileLock(self.root / ".room.lock"):
            self._sweep()
            entries = []
            for path in self.root.glob("[!.]*.npy"):
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                entries.append((stat.st_mtime_ns, stat.st_size, path))
            total = sum(size for _, size, _ in entries)
            for _, size, path in sorted(entries):
                if total + wanted <= self.max_bytes:
                    return
                path.unlink(missing_ok=True)
                total -= size

    def _sweep(self) -> None:
        """Removes what killed writers left behind."""
        for scratch in self.root.glob(".*.npy"):
            with suppress(FileNotFoundError):
                if time.time() - scratch.stat().st_mtime > _ABANDONED_S:
                    scratch.unlink()


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
