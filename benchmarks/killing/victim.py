"""One search that is killed and resumed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.killing.processes import descendants, send, title, trial_processes
from benchmarks.killing.snapshots import NOTHING, Snapshot, snapshot
from benchmarks.killing.watching import POLL_S, Watch, keep_reading
from fer_tune.tuning.events import EVENTS_FILE, History

HOWS = {
    "driver": "SIGKILL of the driver",
    "all": "SIGKILL of the driver and all its processes",
    "trial": "SIGKILL of a trial's process",
    "interrupt": "Ctrl-C",
    "interrupts": "Ctrl-C twice",
}
#: Seconds that a process may outlive its driver.
LINGER_S = 90.0
ENDING_S = 300.0


@dataclass(kw_only=True)
class Kill:
    """One kill and what came of it.

    Attributes:
        at: seconds into the sitting. moment: of the monotonic clock. stage: at that moment.
        training: epochs in the log of every run that a process was training.
        code: the driver's exit code; None where it went on.
        before: what there was when it had happened. after: once the search was taken up again.
    """

    how: str
    at: float
    moment: float
    stage: str
    training: dict[int, int]
    code: int | None = None
    before: Snapshot = NOTHING
    after: Snapshot | None = None

    def lost(self, saves: list[tuple[float, int, int]]) -> dict[int, int]:
        """Epochs that were cut off or trained again, by run."""
        lost = {}
        for number, epochs in self.training.items():
            saved = self.before.saved.get(number)
            if saved is None or number in self.before.over:
                continue  # it has ended
            drained = self.how == "interrupt" and self.before.logged[number] > epochs
            again = sum(m > self.moment and n == number and e <= saved for m, n, e in saves)
            lost[number] = again + (0 if drained else 1)
        return lost


class Victim:
    """A search that is killed and resumed until it has ended."""

    def __init__(self, folder: Path, search: list[str], resume: list[str]) -> None:
        self.folder, self._search, self._resume = folder, search, resume
        self.output = folder.with_suffix(".log")
        self.kills: list[Kill] = []
        self.faults: list[str] = []
        self.polls, self.slowest_s = 0, 0.0
        self.watch = Watch(folder)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Reads and watches from now to the end."""
        spawn = multiprocessing.get_context("spawn")
        stop, told = spawn.Event(), spawn.Queue()
        reader = spawn.Process(target=keep_reading, args=(self.folder, stop, told))
        reader.start()
        self.watch.mine.update(descendants(os.getpid()))  # the reader, multiprocessing's own
        self.watch.start()
        try:
            yield
        finally:
            stop.set()
            self.polls, self.slowest_s, faults = told.get(timeout=120)
            self.faults += [f"reader: {fault}" for fault in faults]
            reader.join()
            self.watch.close()

    def sit(self) -> None:
        """Begins the next sitting: a search where none began, else a resume."""
        words = self._resume if (self.folder / EVENTS_FILE).exists() else self._search
        with self.output.open("ab") as out:
            out.write(f"\n$ fer-tune {' '.join(words)}\n".encode())
            out.flush()
            self.driver = subprocess.Popen(
                [sys.executable, "-m", "fer_tune", *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a process group of its own, as in a terminal
            )
        self.watch.mine.add(self.driver.pid)
        self._began, self._sittings_before = time.monotonic(), self._sittings()

    def undisturbed(self) -> None:
        """One sitting from beginning to end."""
        self.sit()
        if self.driver.wait() != 0:
            sys.exit(f"the undisturbed search failed: {self.output}")

    def goes_on(self, seconds: float) -> bool:
        """Waits; whether the sitting still goes on then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.driver.poll() is None:
            time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
            self._note_resume()
        return self.driver.poll() is None

    def kill(self, how: str, arms: list[str], pause: float) -> bool:
        """Kills in the way ``how``; False if the sitting ended before that could be done.

        Args:
            pause: seconds between the first and the second Ctrl-C.
        """
        while how == "trial" and not trial_processes(self.driver.pid, arms):
            if not self.goes_on(POLL_S):
                return False
        self._note_resume(surely=True)
        trials = trial_processes(self.driver.pid, arms)
        going = snapshot(self.folder)
        runs = {int(title(pid).split()[0].rpartition("/")[2]) for pid in trials}
        now = time.monotonic()
        training = {run: going.logged[run] for run in runs & set(going.logged)}
        kill = Kill(how=how, at=now - self._began, moment=now, stage=going.stage, training=training)
        if how == "trial":
            send(signal.SIGKILL, trials)
        elif how in ("driver", "all"):
            family = descendants(self.driver.pid) if how == "all" else []
            send(signal.SIGKILL, [self.driver.pid, *family])
        else:
            self._interrupt()
            if how == "interrupts" and self.goes_on(pause):
                self._interrupt()
        if how != "trial":
            kill.code = self.driver.wait(ENDING_S)
            if kill.code not in self._expected(how):
                self.faults.append(f"{HOWS[how]}: exit code {kill.code}")
        kill.before = snapshot(self.folder)
        if not self._is_sitting():
            kill.stage = "start-up"
        self.kills.append(kill)
        return True

    def _expected(self, how: str) -> set[int]:
        """Exit codes that a kill may bring about."""
        if "interrupt" not in how:
            return {-signal.SIGKILL}
        # Ended by the signal is 130 to a shell; and the search may end just then. Libraries make
        # faults of their own of a Ctrl-C that comes while they are imported.
        return {0, 130, -signal.SIGINT} | (set() if self._is_sitting() else {1})

    def _is_sitting(self) -> bool:
        """Whether the driver has come so far as to take the search up."""
        return self._sittings() > self._sittings_before

    def _interrupt(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.driver.pid, signal.SIGINT)

    def end(self) -> None:
        """Checks everything that can be told once the last sitting has ended."""
        self._note_resume(surely=True)
        for number, kill in enumerate(self.kills, start=1):
            for run, lost in kill.lost(self.watch.saves).items():
                if lost > 1:
                    self.faults.append(f"kill {number}: run {run} lost {lost} epochs")
            if kill.code == 0 and sum(at > kill.moment for at, _, _ in self.watch.saves) > 2:
                self.faults.append(f"kill {number}: {HOWS[kill.how]} went unheard")
            if kill.after is not None and not kill.after.holds(kill.before):
                self.faults.append(f"kill {number}: rung entries were lost")
        self._leave_nothing_behind()

    def _leave_nothing_behind(self) -> None:
        deadline = time.monotonic() + LINGER_S
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        self.faults += [f"left behind: {title(pid)[:80]}" for pid in left]
        send(signal.SIGKILL, left)

    def _left(self) -> list[int]:
        return [pid for pid in descendants(os.getpid()) if pid not in self.watch.mine]

    def _sittings(self) -> int:
        begun = (self.folder / EVENTS_FILE).exists()
        return len(History.read(self.folder).sittings) if begun else 0

    def _note_resume(self, surely: bool = False) -> None:
        """Notes what there is once a sitting after the last kill has begun."""
        if not self.kills or self.kills[-1].after is not None:
            return
        if surely or (self.kills[-1].how != "trial" and self._is_sitting()):
            self.kills[-1].after = snapshot(self.folder)
