"""Whether the system killed processes for want of memory: they cannot say so themselves."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from fer_tune.process.cgroups import MEMBERSHIP, ROOT, own_cgroups, words_of

_VMSTAT = Path("/proc/vmstat")
#: Files with the count, by version of cgroups.
_FILES = {1: "memory.oom_control", 2: "memory.events"}
#: Seconds in which the death of a process is noticed.
_NOTICED_S = 10.0


def memory_kills(root: Path = ROOT, membership: Path = MEMBERSHIP, vmstat: Path = _VMSTAT) -> int:
    """Processes of this process's cgroup that the system has killed for want of memory.

    Without a cgroup: of the machine. 0 where neither is counted.
    """
    for version, folder in own_cgroups("memory", root, membership):
        if (count := _count(folder / _FILES[version])) is not None:
            return count
    return _count(vmstat) or 0


def _count(file: Path) -> int | None:
    words = words_of(file)
    for name, value in itertools.pairwise(words):
        if name == "oom_kill" and value.isascii() and value.isdigit():
            return int(value)
    return None


class MemoryKills:
    """Notices kills from when it was made on."""

    def __init__(self) -> None:
        self._seen, self._at = memory_kills(), -_NOTICED_S

    def recent(self) -> bool:
        """Whether a process was killed since the last call, or shortly before it.

        Several may be killed at once, of which one is noticed first.
        """
        now, count = time.monotonic(), memory_kills()
        if count > self._seen:
            self._seen, self._at = count, now
        return now - self._at < _NOTICED_S
