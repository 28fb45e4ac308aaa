"""The one writer of a results folder at a URL: a claim that shows signs of life.

Object stores have no locks. ``.writer`` names the process that writes and is written again every
:data:`BEAT_S` seconds. How old the last sign is, is told by the store's own clock, so that clocks
of machines may differ. A claim without a sign for :data:`STALE_S` seconds is taken over, and one
of a process of this machine that has ended at once. Who has lost its claim writes no event more:
before every attempt to write one, a last sign of life that is old is renewed, and a sign of life
is never written without a look right before it.

Two processes that claim in the same instant both wait :data:`SETTLE_S`, or longer where the store
is slow, and look again: the store shows both the one that wrote last. So does one whose last sign
of life is so old that another may be taking its claim over.
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

from fer_tune.errors import ResultsError
from fer_tune.storage import UrlPath

logger = logging.getLogger(__name__)

CLAIM_FILE = ".writer"
BEAT_S = 10.0
STALE_S = 60.0
SETTLE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that a claim names. ``machine`` tells where its number means anything."""

    token: str
    process: int
    host: str
    machine: str
    since: str

    @classmethod
    def me(cls) -> Holder:
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
        """Known to have ended: of this machine, and there is no such process any more."""
        if (self.host, self.machine) != (socket.gethostname(), _machine()):
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return _is_zombie(self.process)


class Claim:
    """This process's claim of a folder; see :func:`claimed`."""

    def __init__(self, folder: UrlPath) -> None:
        self._folder, self._file = folder, folder / CLAIM_FILE
        self._me = Holder.me()
        self._lost: str | None = None
        self._asked = False  # whether the store may hold a claim of ours
        self._seen = _now()  # when it was last known to be ours
        self._signed = _now()  # the same, right before it was last written
        self._renewing = threading.Lock()
        self._over = threading.Event()
        self._beats = threading.Thread(target=self._beat, name="claim", daemon=True)

    def check(self) -> None:
        """Raises OSError if another process has taken the folder over, or may have.

        A machine that slept, or had no way to the store, asks there before it writes.
        """
        if self._lost is None and self._is_old:
            self._renew()
        if self._lost is not None:
            raise OSError(
                errno.EBUSY, f"{self._lost} has taken this folder over", str(self._folder)
            )

    @property
    def is_lost(self) -> bool:
        """Whether another process is known to have taken the folder over."""
        return self._lost is not None

    def take(self) -> None:
        """Claims the folder, or raises ResultsError naming who has it."""
        holder = self._holder()
        if holder is not None:
            self._refuse_if_alive(holder)
            logger.warning("%s: %s is gone; taken over", self._folder, holder)
        self._asked, began = True, _now()
        self._write(lambda: self._refuse_if_not(holder))
        time.sleep(max(SETTLE_S, min(2 * (_now() - began), BEAT_S)))
        holder = self._holder()
        if holder is None or holder.token != self._me.token:
            raise _taken(self._folder, str(holder or "another process"), "just now")
        self._signed = began
        self._beats.start()

    def give_back(self) -> None:
        """Ends the claim; a store that is away keeps it, and it is stale soon."""
        self._over.set()
        if self._beats.is_alive():
            self._beats.join(2 * SETTLE_S)
        if not self._asked or self.is_lost:
            return
        try:
            holder = self._holder()
            if holder is not None and holder.token == self._me.token:
                self._file.unlink(missing_ok=True)
        except (OSError, ResultsError) as error:
            logger.info("%s: the claim stays behind: %s", self._folder, error)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            try:
                self._renew()
            except OSError as error:
                if self.is_lost:
                    return
                logger.info("%s: no sign of life: %s", self._folder, error.strerror)

    @property
    def _is_old(self) -> bool:
        return _now() - self._signed > STALE_S / 2

    def _renew(self) -> None:
        """Writes a sign of life; raises OSError if the claim is no longer this process's."""
        with self._renewing:
            was_old = self._is_old
            self._write(self._look)
            signed = self._seen
            if was_old:
                time.sleep(SETTLE_S)
                self._look()
            self._signed = signed

    def _look(self) -> None:
        """Finds out whether the claim is still this process's; raises OSError if not."""
        asked, holder = _now(), self._holder()
        if holder is None or holder.token != self._me.token:
            self._lost = str(holder or "another process")
            logger.error("%s: %s has taken it over", self._folder, self._lost)
            self.check()
        self._seen = asked

    def _refuse_if_not(self, before: Holder | None) -> None:
        """Raises ResultsError if the claim is not as it was: another was faster."""
        now = self._holder()
        if now is not None and now not in (before, self._me):
            raise _taken(self._folder, str(now), "just now")

    def _refuse_if_alive(self, holder: Holder) -> None:
        age = self._age()
        if age is not None and age < STALE_S and not holder.has_ended:
            raise _taken(self._folder, str(holder), f"{max(age, 0.0):.0f} s ago")

    def _age(self) -> float | None:
        """Seconds since the claim's last sign of life, by the store's clock."""
        probe = self._folder / f".now-{self._me.token}"
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
                "names no writer",
                where=str(self._file),
                remedy="Remove it if no process writes to this folder",
            ) from error

    def _write(self, before: Callable[[], None]) -> None:
        self._file.write_bytes(json.dumps(asdict(self._me)).encode(), before=before)


@contextmanager
def claimed(folder: UrlPath) -> Iterator[Claim]:
    """Holds the results folder at a URL for this process.

    Raises:
        ResultsError: another process writes there, or the store refuses.
    """
    claim = Claim(folder)
    try:
        try:
            claim.take()
        except OSError as error:
            raise ResultsError(
                f"cannot write here: {error.strerror or error}",
                where=str(folder),
                remedy="Check the URL, the credentials and the bucket's rights",
            ) from None
        yield claim
    finally:
        claim.give_back()


def _taken(folder: UrlPath, who: str, seen: str) -> ResultsError:
    return ResultsError(
        f"{who} is writing here, last sign of life {seen}",
        where=str(folder),
        remedy="Wait for it to end, or interrupt it. If its machine is gone, try again in "
        f"{STALE_S:.0f} s",
    )


def _now() -> float:
    """Seconds of a clock that runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _machine() -> str:
    """This boot of this machine, and the processes that are seen here: containers see others."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _is_zombie(process: int) -> bool:
    """Whether a process has ended and just waits for its parent to notice."""
    try:
        return ") Z" in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
