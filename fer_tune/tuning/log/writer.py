"""Single writer of a results folder: a lock on a path, a lease at a URL."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from fer_tune.errors import ResultsError, because
from fer_tune.storage import AnyPath, UrlPath, read_bytes, remove_file, write_atomically
from fer_tune.storage.file_systems import NO_LOCKS
from fer_tune.storage.links import open_file
from fer_tune.tuning.log.lease import LEASE_FILE, InUse, Lease, leased

logger = logging.getLogger(__name__)

#: Seconds that a patient process waits for another writer: longer than a lease holds without a
#: heartbeat (60), and than an NFS server keeps the locks of a machine that is down (90).
PATIENCE_S = 120.0
#: Seconds between two attempts.
STEP_S = 2.0


@contextmanager
def only_writer(folder: AnyPath, *, patient: bool = False) -> Iterator[Lease | None]:
    """Makes this process the only writer of a results folder, by a lock or a lease.

    Args:
        patient: wait up to :data:`PATIENCE_S` for another writer, with a message: its machine may
            be down, so that its lock or lease expires.

    Raises:
        ResultsError: another process writes to it; names that process.
    """
    acquired = _patiently if patient else _once
    if isinstance(folder, UrlPath):
        with leased(folder, acquired) as lease:
            yield lease
    else:
        with _locked(folder, acquired):
            yield None


def _once(attempt: Callable[[], None]) -> None:
    attempt()


def _patiently(attempt: Callable[[], None]) -> None:
    """Repeats ``attempt`` while another process has the folder; raises its last InUse."""
    deadline, said = time.monotonic() + PATIENCE_S, False
    while True:
        try:
            return attempt()
        except InUse as error:
            if time.monotonic() > deadline:
                raise
            if not said:
                logger.warning(
                    "%s: %s. Waiting up to %.0f s for it to end or, if its machine is down, for "
                    "its lease to expire",
                    *(error.where, error.what, PATIENCE_S),
                )
            said = True
        time.sleep(STEP_S)


@contextmanager
def _locked(folder: Path, acquired: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    lock, holder = FileLock(folder / ".lock", blocking=False), folder / LEASE_FILE
    started = time.strftime("%Y-%m-%d %H:%M:%S")

    def attempt() -> None:
        try:
            lock.acquire()
        except Timeout:
            raise InUse(
                f"{_name_of(holder)} is writing to this folder",
                where=str(folder),
                remedy="Wait for it to end, or interrupt it",
                temporary=True,
            ) from None

    try:
        # filelock does not check for hard links, and older versions truncate.
        descriptor = open_file(folder / ".lock", os.O_RDWR | os.O_CREAT)
        try:
            _refuse_without_locks(descriptor)
        finally:
            os.close(descriptor)
        acquired(attempt)
        write_atomically(holder, f"process {os.getpid()} on {socket.gethostname()} since {started}")
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


def _refuse_without_locks(descriptor: int) -> None:
    """Raises OSError where there are no locks; filelock would treat the file as a lock there."""
    with suppress(BlockingIOError):  # another process holds the lock
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _name_of(holder: Path) -> str:
    """The name of the process that holds the lock."""
    try:
        return read_bytes(holder)[:200].decode(errors="replace")
    except OSError:
        return "another process"
