"""The bank: prefix outputs on disk, content-addressed, shared by trials, bounded.

An entry is one file (``entries.py``), written under a dot-name and renamed into place.
The first process that needs an entry computes it under its lock; all others memory-map it. An entry
that is damaged or belongs to another user is replaced. When the bank is full, the least recently
used entries are removed; a process that has one mapped keeps its pages. Other files are ignored.

The bank only saves time: if it cannot be used, features are computed on demand and no trial fails.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import numpy as np
from filelock import Timeout
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.errors import because
from fer_tune.features import entries
from fer_tune.features.entries import Entry, EntryWriter
from fer_tune.features.folder import ABANDONED_S, ENTRY, KEY, SCRATCH, default_bound, own_files
from fer_tune.storage.private import private_folder, private_lock

logger = logging.getLogger(__name__)

#: Of an entry's file. Those of another format have other names, and go when the bank is full.
_FORMAT = 3
#: A symbolic link, another user's file, a socket, a bad block.
_NOT_AN_ENTRY = (errno.ELOOP, errno.EACCES, errno.ENXIO, errno.EIO)
_ATTEMPTS = 3
#: Banks whose error was already logged by this process.
_logged: set[Path] = set()


def entry_key(parts: Mapping[str, object]) -> str:
    """Content address of an entry: hash of everything that its values depend on."""
    text = json.dumps({"format": _FORMAT, "parts": parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


class FeatureBank:
    """A bounded folder of feature files; if it cannot be used, it stays empty.

    Args:
        root: the folder; created if missing.
        max_bytes: bound on the files' total size; by default as ``folder.default_bound`` gives it.
    """

    def __init__(self, root: Path, max_bytes: int | None = None) -> None:
        self.root = root
        self.max_bytes: int | None = None  # of a bank that cannot be used
        try:
            private_folder(root)
            self.max_bytes = default_bound(root) if max_bytes is None else max_bytes
        except OSError as error:
            self._log(error)

    def get(
        self, entry: Entry, chunks: Callable[[], Iterable[Tensor]]
    ) -> tuple[NDArray[np.generic], bool] | None:
        """An entry, computed from ``chunks()`` if it is not in the bank.

        Args:
            entry: its key as :func:`entry_key` gives it.
            chunks: gives tensors whose rows, one after the other, are the entry's rows.

        Returns:
            A read-only memory map in the stored dtype and whether it was already there (a
            hit); None after a disk error, or if the entry exceeds the bound.
        """
        assert re.fullmatch(KEY, entry.key), entry.key
        if self.max_bytes is None or entry.size > self.max_bytes:
            return None
        try:
            return self._get(entry, chunks)
        except _ComputationError as wrapped:
            raise wrapped.error from None
        except OSError as error:
            self._log(error)
            return None

    def find(self, entry: Entry) -> NDArray[np.generic] | None:
        """The entry if it is in the bank; never waits for a process that is writing it."""
        if self.max_bytes is None:
            return None
        try:
            return self._find(self.root / entry.name, entry)
        except OSError as error:
            self._log(error)
            return None

    @contextmanager
    def byproduct(self, entry: Entry) -> Iterator[Callable[[Tensor], None]]:
        """A function that adds rows to an entry which other work yields; without exception, it is
        in the bank afterwards.

        Nothing is written if the entry is there, or if another process is writing it. A disk error
        costs the entry alone.
        """
        lock = private_lock(self.root / f".{entry.key}.lock")
        writer = None
        with suppress(OSError, Timeout):
            lock.acquire(blocking=False)
            if not os.path.lexists(self.root / entry.name):
                writer = _Byproduct(self, entry)
        try:
            yield _discard if writer is None else writer.add
            if writer is not None:
                writer.finish()
        finally:
            if writer is not None:
                writer.close()
            lock.release()

    def _get(
        self, entry: Entry, chunks: Callable[[], Iterable[Tensor]]
    ) -> tuple[NDArray[np.generic], bool]:
        path = self.root / entry.name
        for _ in range(_ATTEMPTS):
            # Without the lock, which others may wait for: reading a new entry takes time.
            found = self._find(path, entry)
            if found is not None:
                return found, True
            with private_lock(self.root / f".{entry.key}.lock"):
                if not os.path.lexists(path):  # by now another process may have made it
                    self.write(entry, chunks)
                    made = self._find(path, entry)
                    if made is not None:
                        return made, False
        raise OSError(errno.EIO, "entries are lost or damaged as soon as they are written")

    @staticmethod
    def _find(path: Path, entry: Entry) -> NDArray[np.generic] | None:
        """The entry if it is valid; an invalid file with its name is removed."""
        try:
            found = entries.mapped(path, entry)
        except FileNotFoundError:  # or another process is removing it
            return None
        except OSError as error:
            if error.errno not in _NOT_AN_ENTRY:
                raise
            found = None
        if found is None:
            logger.warning("%s is damaged or belongs to another user; replacing it", path)
            path.unlink(missing_ok=True)
        return found

    def write(self, entry: Entry, chunks: Callable[[], Iterable[Tensor]]) -> None:
        """Writes an entry whose lock the caller holds."""
        with self.scratch(entry) as writer, closing(_marked_errors(chunks)) as marked:
            for chunk in marked:
                writer.add(chunk)
            writer.finish()

    @contextmanager
    def scratch(self, entry: Entry) -> Iterator[EntryWriter]:
        """A writer of a file that becomes the entry if it is finished by the end of the block."""
        self._make_room(entry.size)
        scratch = self.root / f".{entry.key}.{uuid.uuid4().hex}.npy"
        try:
            with closing(EntryWriter(scratch, entry)) as writer:
                yield writer
            if writer.is_finished:
                scratch.replace(self.root / entry.name)
        finally:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)

    def _make_room(self, wanted: int) -> None:
        """Removes the least recently used entries, counting files that are being written."""
        assert self.max_bytes is not None
        with private_lock(self.root / ".room.lock"):
            self._sweep()
            found = [
                (state.st_atime_ns, state.st_size, path)
                for path, state in own_files(self.root, ENTRY)
            ]
            writing = sum(state.st_size for _, state in own_files(self.root, SCRATCH))
            total = writing + sum(size for _, size, _ in found)
            for _, size, path in sorted(found):
                if total + wanted <= self.max_bytes:
                    return
                path.unlink(missing_ok=True)
                total -= size

    def _sweep(self) -> None:
        """Removes partial files of killed writers."""
        for scratch, state in own_files(self.root, SCRATCH):
            if time.time() - state.st_mtime > ABANDONED_S:
                scratch.unlink(missing_ok=True)

    def _log(self, error: OSError) -> None:
        """Logs once per process."""
        if self.root not in _logged:
            _logged.add(self.root)
            logger.warning(
                "%s: the bank cannot be used, so features are computed on demand: %s",
                self.root,
                because(error),
            )


class _Byproduct:
    """Writes an entry that is useful but not needed: after a disk error it writes nothing more."""

    def __init__(self, bank: FeatureBank, entry: Entry) -> None:
        self._open = ExitStack()
        self._writer: EntryWriter | None = self._open.enter_context(bank.scratch(entry))

    def add(self, rows: Tensor) -> None:
        if self._writer is not None:
            try:
                self._writer.add(rows)
            except OSError:
                self.close()

    def finish(self) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._writer.finish()
        self.close()

    def close(self) -> None:
        """Publishes what was finished, and removes anything else."""
        self._writer = None
        with suppress(OSError):
            self._open.close()


def _discard(rows: Tensor) -> None:
    """Takes rows of an entry that is not written."""


class _ComputationError(Exception):
    """Carries an OSError of the computation past the handler for disk errors."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _marked_errors(chunks: Callable[[], Iterable[Tensor]]) -> Generator[Tensor]:
    made = chunks()
    try:
        yield from made
    except OSError as error:
        raise _ComputationError(error) from error
