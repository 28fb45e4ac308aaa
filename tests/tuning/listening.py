"""What the processes below this one listen on, from /proc."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import descendants

_LISTENING = "0A"


class Listener(NamedTuple):
    """A TCP socket that takes connections: its address, port, and the process that has it."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    pid: int


def listeners() -> list[Listener]:
    """The listening sockets of this process and all below it."""
    return [found for found in _all_listeners() if found.pid]


def is_anothers(address: str, port: int) -> bool:
    """Whether a process that is not below this one listens there."""
    return (ipaddress.ip_address(address), port, 0) in _all_listeners()


def _all_listeners() -> list[Listener]:
    """Those of this machine; ``pid`` is 0 where the process is not below this one."""
    owners = {inode: pid for pid in family() for inode in _sockets(pid)}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING:
                host, port = fields[1].split(":")
                pid = owners.get(fields[9], 0)
                found.append(Listener(_address(host), int(port, 16), pid))
    return found


def family() -> list[int]:
    """This process and all below it."""
    return [os.getpid(), *descendants(os.getpid())]


def _sockets(pid: int) -> Iterator[str]:
    for descriptor in _listed(Path(f"/proc/{pid}/fd")):
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # the process has just ended


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """From the kernel's form: words of four bytes, each in this machine's byte order."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
