"""The single writer of a results folder at a URL: a lease with a heartbeat.

Object stores have no locks. ``.writer`` names the process that writes, which rewrites it every
:data:`HEARTBEAT_S` seconds. The age of the last heartbeat is measured by the store's own clock, so
that clocks of machines may differ. A lease without a heartbeat for :data:`EXPIRY_S` seconds is
taken over; one of a process of this machine that has ended, at once. A process that has lost its
lease writes no more events: an old heartbeat is renewed before every attempt to write an event, and
no heartbeat is written without checking the lease right before.

Two processes that acquire it at the same time both wait :data:`SETTLE_S`, longer where the store is
slow, and check again: the last one to write has it. A process whose last heartbeat is so old that
another may be taking over does the same.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fer_tune.errors import ResultsError, reporting
from fer_tune.storage import UrlPath

logger = logging.getLogger(__name__)

LEASE_FILE = ".writer"
HEARTBEAT_S = 10.0
EXPIRY_S = 60.0
SETTLE_S = 1.0


class InUse(ResultsError):
    """Another process writes to the results folder, or did until a moment ago."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that a lease names; its number is valid only on ``machine``."""

    token: str
    process: int
    host: str
    machine: str
    since: str

    @classmethod
    def current(cls) -> Holder:
        return cls(
            token=uuid.uuid4().hex,
            process=os.getpid(),
            host=socket.gethostname(),
            machine=_machine(),
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
        )

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} since {self.since}"

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended: it ran on this machine, and no longer does."""
        if (self.host, self.machine) != (socket.gethostname(), _machine()):
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return _is_zombie(self.process)


class Lease:
    """This process's lease of a folder; see :func:`leased`."""

    def __init__(self, folder: UrlPath) -> None:
        self._folder, self._file = folder, folder / LEASE_FILE
        self._own = Holder.current()
        self._lost: str | None = None
        self._asked = False  # whether the store may hold our lease
        self._verified = _now()  # when it was last known to be ours
        self._renewed = _now()  # the same, right before the last heartbeat
        self._renewing = threading.Lock()
        self._stop = threading.Event()
        self._heartbeat = threading.Thread(target=self._renew_in_rounds, name="lease", daemon=True)

    def check(self) -> None:
        """Raises OSError if another process has taken over the folder, or may have.

        A machine that slept, or had no connection to the store, checks there before it writes.
        """
        if self._lost is None and self._is_old:
            self._renew()
        if self._lost is not None:
            raise OSError(
                errno.EBUSY, f"{self._lost} has taken over this folder", str(self._folder)
            )

    @property
    def is_lost(self) -> bool:
        """Whether another process is known to have taken the folder over."""
        return self._lost is not None

    def acquire(self) -> None:
        """Acquires the lease, or raises InUse naming its holder, and may be called again."""
        holder = self._holder()
        if holder is not None:
            self._refuse_if_alive(holder)
            logger.warning(
                "%s: %s has ended or expired; taking over its lease", self._folder, holder
            )
        self._asked, began = True, _now()
        self._write(lambda: self._refuse_if_not(holder))
        time.sleep(max(SETTLE_S, min(2 * (_now() - began), HEARTBEAT_S)))
        holder = self._holder()
        if holder is None or holder.token != self._own.token:
            raise _in_use(self._folder, str(holder or "another process"), "just now")
        self._renewed = began
        self._heartbeat.start()

    def release(self) -> None:
        """Releases the lease; if the store is unavailable, the lease expires there."""
        self._stop.set()
        if self._heartbeat.is_alive():
            self._heartbeat.join(2 * SETTLE_S)
        if not self._asked or self.is_lost:
            return
        try:
            holder = self._holder()
            if holder is not None and holder.token == self._own.token:
                self._file.unlink(missing_ok=True)
        except (OSError, ResultsError) as error:
            logger.info("%s: the lease was not released: %s", self._folder, error)

    def _renew_in_rounds(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            try:
                self._renew()
            except OSError as error:
                if self.is_lost:
                    return
                logger.info("%s: no heartbeat: %s", self._folder, error.strerror)

    @property
    def _is_old(self) -> bool:
        # A write that begins before this is over before the lease expires; see storage/urls.py.
        return _now() - self._renewed > EXPIRY_S / 3

    def _renew(self) -> None:
        """Writes a heartbeat; raises OSError if the lease is lost."""
        with self._renewing:
            was_old = self._is_old
            self._write(self._verify)
            renewed = self._verified
            if was_old:
                time.sleep(SETTLE_S)
                self._verify()
            self._renewed = renewed

    def _verify(self) -> None:
        """Checks that the lease is still held by this process; raises OSError if not."""
        holder = self._holder()
        if holder is None or holder.token != self._own.token:
            self._lost = str(holder or "another process")
            logger.error("%s: %s has taken over the folder", self._folder, self._lost)
            self.check()
        self._verified = _now()  # the heartbeat is written afterwards, and the lease counts from it

    def _refuse_if_not(self, before: Holder | None) -> None:
        """Raises ResultsError if the lease has changed: another process was faster."""
        now = self._holder()
        if now is not None and now not in (before, self._own):
            raise _in_use(self._folder, str(now), "just now")

    def _refuse_if_alive(self, holder: Holder) -> None:
        age = self._age()
        if age is not None and age < EXPIRY_S and not holder.has_ended:
            raise _in_use(self._folder, str(holder), f"{max(age, 0.0):.0f} s ago")

    def _age(self) -> float | None:
        """Seconds since the last heartbeat, by the store's clock."""
        probe = self._folder / f".now-{self._own.token}"
        probe.write_bytes(b"")
        now, written = probe.written_at(), self._file.written_at()
        probe.unlink(missing_ok=True)
        return None if now is None or written is None else now - written

    def _holder(self) -> Holder | None:
        try:
            return Holder(**json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ResultsError(
                "does not name a writer",
                where=str(self._file),
                remedy="Remove it if no process writes to this folder",
            ) from error

    def _write(self, before: Callable[[], None]) -> None:
        self._file.write_bytes(json.dumps(asdict(self._own)).encode(), before=before)


@contextmanager
def leased(
    folder: UrlPath, acquired: Callable[[Callable[[], None]], None] = lambda attempt: attempt()
) -> Iterator[Lease]:
    """Holds the lease of the results folder at a URL.

    Args:
        acquired: calls the attempt to acquire it, again if it raises InUse and there is time.

    Raises:
        ResultsError: another process writes there (InUse), or the store reports an error.
    """
    lease = Lease(folder)
    try:
        remedy = "Check the URL, the credentials and the bucket's permissions"
        with reporting("cannot write here", folder, remedy):
            acquired(lease.acquire)
        yield lease
    finally:
        lease.release()


def _in_use(folder: UrlPath, holder: str, seen: str) -> InUse:
    return InUse(
        f"{holder} is writing to this folder, last heartbeat {seen}",
        where=str(folder),
        remedy="Wait for it to end, or interrupt it. If its machine is down, try again in "
        f"{EXPIRY_S:.0f} s",
        temporary=True,
    )


def _now() -> float:
    """Seconds of a clock that also runs while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _machine() -> str:
    """This boot of this machine, and its process namespace: containers have others."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _is_zombie(process: int) -> bool:
    """Whether a process has ended and waits for its parent to collect it."""
    try:
        return ") Z" in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
