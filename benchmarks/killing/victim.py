"""One search that is killed and resumed."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.killing.snapshots import NOTHING, Snapshot, snapshot
from benchmarks.killing.watching import POLL_S, Watch, keep_reading
from benchmarks.processes import descendants, send, title, trial_processes
from fer_tune.tuning.log.events import EVENTS_FILE, History
from fer_tune.tuning.options import CHECKPOINT_INTERVAL_S

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
#: Seconds that starting a process and writing a checkpoint may add on a busy machine.
SLACK_S = 30.0


@dataclass(kw_only=True)
class Kill:
    """One kill and what came of it.

    Attributes:
        at: seconds into the session. moment: of the monotonic clock. phase: at that moment.
        training: epochs in the log of every run that a process was training.
        code: the driver's exit code; None where it went on.
        before: what there was when it had happened. after: once the search was resumed.
        unsaved_s: seconds since the newest checkpoint of every run that was being trained, or
            since the run was started or restarted.
    """

    how: str
    at: float
    moment: float
    phase: str
    training: dict[int, int]
    code: int | None = None
    before: Snapshot = NOTHING
    after: Snapshot | None = None
    unsaved_s: dict[int, float] = field(default_factory=dict)

    def lost(self) -> dict[int, int]:
        """Epochs that were cut off or have to be trained again, by run."""
        lost = {}
        for number, epochs in self.training.items():
            saved = self.before.saved.get(number)
            if saved is None or number in self.before.over:
                continue  # it has ended
            logged = self.before.logged[number]
            drained = self.how == "interrupt" and logged > epochs
            lost[number] = max(0, logged - saved) + (0 if drained else 1)
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
        stop, answers = spawn.Event(), spawn.Queue()
        reader = spawn.Process(target=keep_reading, args=(self.folder, stop, answers))
        reader.start()
        self.watch.mine.update(descendants(os.getpid()))  # the reader, multiprocessing's own
        self.watch.start()
        try:
            yield
        finally:
            stop.set()
            self.polls, self.slowest_s, faults = answers.get(timeout=120)
            self.faults += [f"reader: {fault}" for fault in faults]
            reader.join()
            self.watch.close()

    def sit(self) -> None:
        """Begins the next session: a search where none began, else a resume."""
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
        self._began, self._sessions_before = time.monotonic(), self._sessions()

    def undisturbed(self) -> None:
        """One session from beginning to end."""
        self.sit()
        if self.driver.wait() != 0:
            sys.exit(f"the undisturbed search failed: {self.output}")

    def goes_on(self, seconds: float) -> bool:
        """Waits; whether the session is still running."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.driver.poll() is None:
            time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
            self._note_resume()
        return self.driver.poll() is None

    def kill(self, how: str, arms: list[str], pause: float) -> bool:
        """Kills in the way ``how``; False if the session ended before that could be done.

        Args:
            pause: seconds between the first and the second Ctrl-C.
        """
        while how == "trial" and not trial_processes(self.driver.pid, arms):
            if not self.goes_on(POLL_S):
                return False
        self._note_resume(surely=True)
        trials = trial_processes(self.driver.pid, arms)
        state = snapshot(self.folder)
        runs = {int(title(pid).split()[0].rpartition("/")[2]) for pid in trials}
        now = time.monotonic()
        training = {run: state.logged[run] for run in runs & set(state.logged)}
        kill = Kill(how=how, at=now - self._began, moment=now, phase=state.phase, training=training)
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
        kill.unsaved_s = self._unsaved_s(kill)
        if not self._has_new_session():
            kill.phase = "start-up"
        self.kills.append(kill)
        return True

    def _unsaved_s(self, kill: Kill) -> dict[int, float]:
        """The work of every run that is not in its newest checkpoint, in seconds."""
        events = self._epoch_events()
        found = {}
        for number in kill.lost():
            saved = kill.before.saved[number]
            at = [e["at"] for e in events if (e["trial"], e["result"]["epoch"]) == (number, saved)]
            passed = time.time() - at[0] if at else math.inf
            since_restart = min(kill.at, *(kill.moment - k.moment for k in self.kills), math.inf)
            found[number] = min(passed, since_restart)
        return found

    def _most_unsaved_s(self) -> float:
        """What a kill may cost: the interval, an epoch, the pending write."""
        words = [*self._resume]
        given = "--checkpoint-interval" in words
        interval = float(words[words.index("--checkpoint-interval") + 1]) if given else None
        epochs = [e["result"].get("epoch_seconds", 0.0) for e in self._epoch_events()]
        longest = max(epochs, default=0.0)
        return (CHECKPOINT_INTERVAL_S if interval is None else interval) + 2 * longest + SLACK_S

    def _epoch_events(self) -> list[dict[str, Any]]:
        file = self.folder / EVENTS_FILE
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        events = [json.loads(line) for line in lines if line.endswith(b"\n")]
        return [event for event in events if event.get("kind") == "epoch"]

    def _expected(self, how: str) -> set[int]:
        """Exit codes that a kill may bring about."""
        if "interrupt" not in how:
            return {-signal.SIGKILL}
        # Ended by the signal is 130 to a shell; and the search may end just then. Libraries make
        # faults of their own of a Ctrl-C that comes while they are imported.
        return {0, 130, -signal.SIGINT} | (set() if self._has_new_session() else {1})

    def _has_new_session(self) -> bool:
        """Whether the driver has come so far as to take the search up."""
        return self._sessions() > self._sessions_before

    def _interrupt(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.driver.pid, signal.SIGINT)

    def end(self) -> None:
        """Checks everything that is known once the last session has ended."""
        self._note_resume(surely=True)
        for number, kill in enumerate(self.kills, start=1):
            for run, lost in kill.lost().items():
                if kill.how == "interrupt" and lost > 1:
                    self.faults.append(f"kill {number}: run {run} lost {lost} epochs")
            for run, seconds in kill.unsaved_s.items():
                if seconds > self._most_unsaved_s():
                    self.faults.append(f"kill {number}: run {run} lost {seconds:.0f} s of work")
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

    def _sessions(self) -> int:
        began = (self.folder / EVENTS_FILE).exists()
        return len(History.read(self.folder).sessions) if began else 0

    def _note_resume(self, surely: bool = False) -> None:
        """Notes what there is once a session after the last kill has begun."""
        if not self.kills or self.kills[-1].after is not None:
            return
        if surely or (self.kills[-1].how != "trial" and self._has_new_session()):
            self.kills[-1].after = snapshot(self.folder)
