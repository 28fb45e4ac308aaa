"""Single writer of a results folder: a lock on a path, a lease at a URL."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fer_tune.errors import ResultsError, because
from fer_tune.storage import AnyPath, UrlPath, read_bytes, remove_file, write_atomically
from fer_tune.storage.file_systems import NO_LOCKS
from fer_tune.storage.links import open_file
from fer_tune.tuning.log.lease import LEASE_FILE, Lease, leased


@contextmanager
def only_writer(folder: AnyPath) -> Iterator[Lease | None]:
    """Makes this process the only writer of a results folder, by a lock or a lease.

    Raises:
        ResultsError: another process writes to it; names that process.
    """
    if isinstance(folder, UrlPath):
        with leased(folder) as lease:
            yield lease
    else:
        with _locked(folder):
            yield None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock, holder = FileLock(folder / ".lock", blocking=False), folder / LEASE_FILE
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        # filelock does not check for hard links, and older versions truncate.
        os.close(open_file(folder / ".lock", os.O_RDWR | os.O_CREAT))
        lock.acquire()
        write_atomically(holder, f"process {os.getpid()} on {socket.gethostname()} since {started}")
    except Timeout:
        raise ResultsError(
            f"{_name_of(holder)} is writing to this folder",
            where=str(folder),
            remedy="Wait for it to end, or interrupt it",
        ) from None
    except (OSError, NotImplementedError) as error:
        lock.release()
        # Older versions of filelock raise NotImplementedError where there are no locks.
        lacks_locks = not isinstance(error, OSError) or error.errno in NO_LOCKS
        raise ResultsError(
            "two searches could write to this folder at the same time: its file system has no "
            "file locks"
            if lacks_locks
            else f"cannot write here: {because(error)}",
            where=str(folder),
            remedy="Use a folder on another disk, an object store (s3://, gs://), or mount it with "
            "locks (Lustre: -o flock; NFS: with lockd)"
            if lacks_locks
            else "Check the folder's permissions and the free space",
        ) from None
    try:
        yield
    finally:
        remove_file(holder)
        lock.release()


def _name_of(holder: Path) -> str:
    """The name of the process that holds the lock."""
    try:
        return read_bytes(holder)[:200].decode(errors="replace")
    except OSError:
        return "another process"
