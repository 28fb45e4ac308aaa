"""The processes of a search, found through /proc; Linux alone."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Processes that ``pid`` started, and theirs; parents before children."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The name in brackets may hold anything; behind it come state and parent.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found


def title(pid: int) -> str:
    """How a process calls itself; empty if it is gone."""
    with suppress(OSError):
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode(errors="replace")
            .strip()
        )
    return ""


def proportional_mib(pid: int) -> float:
    """Memory of a process; what several share is divided among them. 0 if it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def trial_processes(driver: int, arms: list[str]) -> list[int]:
    """The processes under ``driver`` that train a run, or did so last."""
    names = tuple(f"ray::{arm}/" for arm in arms)
    return [pid for pid in descendants(driver) if title(pid).startswith(names)]


def send(number: int, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def adopt_orphans() -> None:
    """Makes this process the parent of processes whose driver was killed, as init would be."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0)
