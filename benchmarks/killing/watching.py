"""What is looked at all through a search: its records, checkpoints and processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.processes import title
from fer_tune.records import KEYS, Results

POLL_S = 0.05


@dataclass
class Reading:
    """What the reader found: how often it read, how long at most, and what went wrong."""

    polls: int = 0
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)
    _rows: dict[str, set[Any]] = field(default_factory=dict)
    _begun: bool = False

    def poll(self, folder: Path) -> None:
        began = time.monotonic()
        try:
            self._read(folder)
        except Exception as error:  # any at all is what the reader is here to find
            self.faults.append(f"{type(error).__name__}: {str(error)[:200]}")
        self.polls += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def _read(self, folder: Path) -> None:
        results = Results(folder)
        if self._begun or results.manifest_path.exists():
            self._begun = True
            assert results.manifest()["state"] in ("running", "interrupted", "finished")
        for table, keys in KEYS.items():
            frame = results.read(table)  # type: ignore[arg-type]
            rows = set(frame[keys].itertuples(index=False, name=None))
            lost = self._rows.get(table, set()) - rows
            assert not lost, f"{table} lost {sorted(lost)[:3]}"
            self._rows[table] = rows
        if results.folder("epochs").is_dir():
            raw = pd.read_parquet(results.folder("epochs"))
            twice = raw[raw.duplicated(["trial", "epoch"])]
            assert twice.empty, f"epochs twice: {twice[['trial', 'epoch']].values.tolist()[:3]}"


def keep_reading(folder: Path, stop: Any, answers: Any) -> None:
    """The reader process: polls until ``stop`` is set, then puts its :class:`Reading`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reading = Reading()
    while not stop.is_set():
        reading.poll(folder)
        stop.wait(POLL_S)
    reading.poll(folder)
    answers.put((reading.polls, reading.slowest_s, reading.faults))


class Watch(threading.Thread):
    """Sees every checkpoint that is saved, and every process that outlives its driver.

    Attributes:
        saves: (moment, run, epoch) of every checkpoint, in order of appearance.
        orphans: by process: its title, and the first and last moment it was seen.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder / "checkpoints"
        self._known: dict[tuple[int, int], tuple[int, int]] = {}
        self._stop = threading.Event()
        self.mine: set[int] = set()  # children that others wait for
        self.saves: list[tuple[float, int, int]] = []
        self.orphans: dict[int, tuple[str, float, float]] = {}

    def run(self) -> None:
        turn = 0
        while not self._stop.wait(0.01):
            self._look_for_checkpoints()
            turn += 1
            if turn % 10 == 0:
                self._look_for_orphans()

    def close(self) -> None:
        self._stop.set()
        self.join()

    def _look_for_checkpoints(self) -> None:
        for path in self._folder.glob("[0-9]*/[0-9]*/result.json"):
            with suppress(OSError):
                stat = path.stat()
                place = int(path.parts[-3]), int(path.parts[-2])
                stamp = stat.st_ino, stat.st_mtime_ns
                if self._known.get(place) != stamp:
                    self._known[place] = stamp
                    self.saves.append((time.monotonic(), *place))

    def _look_for_orphans(self) -> None:
        now = time.monotonic()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) in self.mine:
                continue
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) != os.getpid():
                    continue
                pid = int(entry.name)
                if fields[0] == "Z":
                    os.waitpid(pid, os.WNOHANG)  # as init does, or others take it to be alive
                    continue
                first = self.orphans.get(pid, ("", now, now))[1]
                self.orphans[pid] = (title(pid), first, now)
