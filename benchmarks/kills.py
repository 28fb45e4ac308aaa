"""Kills a search again and again, resumes it every time, and compares it with an undisturbed run.

    python benchmarks/kills.py quickstart --data D --kills 20 --seed 1 --out FOLDER -- --cpus 2

What follows ``--`` goes to ``fer-tune search``. A search that ends before all kills are made is
compared, and another one is begun. Results can be equal to the last bit only where trials run one
at a time: ``--set resources.max_concurrent=1`` is always given. Linux alone: it reads /proc.

Exit code 1 if anything was lost, repeated, unreadable, left running or different.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fer_tune.errors import ResultsError
from fer_tune.records import KEYS, SCHEMAS, Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.asha import StudyAsha
from fer_tune.tuning.checkpoints import Checkpoints
from fer_tune.tuning.events import EVENTS_FILE, History

HOWS = {
    "driver": "SIGKILL of the driver",
    "all": "SIGKILL of the driver and all its processes",
    "trial": "SIGKILL of a trial's process",
    "interrupt": "Ctrl-C",
    "interrupts": "Ctrl-C twice",
}
#: Columns that depend on the machine and the moment.
TIMES = ("started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds")
TIMES += ("peak_memory_mib", "images_per_s", "bank_hits", "bank_misses", "node")
#: Keys of report.json that do.
REPORT_TIMES = {"command", "started", "ended", "wall_seconds", "startup_seconds", "cost", "latency"}
POLL_S = 0.05
#: Seconds that a process may outlive its driver.
LINGER_S = 90.0
ENDING_S = 300.0


# -- processes --------------------------------------------------------------------------------


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
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


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


# -- what a results folder tells --------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A search at one moment.

    Attributes:
        logged, saved: per run that has not ended: epochs in the log, and in its newest checkpoint.
        over: runs whose last checkpoint says that they have ended, though the log does not yet.
        rungs: per study and epoch, the value of every trial that reached it.
    """

    stage: str
    asked: int
    ended: int
    logged: dict[int, int]
    saved: dict[int, int]
    over: set[int]
    rungs: dict[str, dict[int, dict[int, float]]]

    @property
    def entries(self) -> int:
        return sum(len(rung) for rungs in self.rungs.values() for rung in rungs.values())

    def holds(self, earlier: Snapshot) -> bool:
        """Whether nothing that ``earlier`` held in its rungs is missing or another here."""
        return all(
            self.rungs.get(study, {}).get(epoch, {}).get(number) == value
            for study, rungs in earlier.rungs.items()
            for epoch, values in rungs.items()
            for number, value in values.items()
        )


NOTHING = Snapshot(stage="start-up", asked=0, ended=0, logged={}, saved={}, over=set(), rungs={})


def snapshot(folder: Path) -> Snapshot:
    """Reads the log and the checkpoints of a search, whatever state it is in."""
    if not (folder / EVENTS_FILE).exists():
        return NOTHING
    history = History.read(folder)
    going = {number: run for number, run in history.runs.items() if not run.ended}
    newest = {n: next(Checkpoints(folder, n).newest_first(), None) for n in going}
    results = {n: {} if point is None else point.result for n, point in newest.items()}
    return Snapshot(
        stage=_stage(folder, history),
        asked=len(history.runs),
        ended=len(history.runs) - len(going),
        logged={number: run.epochs for number, run in going.items()},
        saved={number: int(result.get("epoch", 0)) for number, result in results.items()},
        over={number for number, result in results.items() if result.get("stop_reason")},
        rungs=rungs_of(history),
    )


def rungs_of(history: History) -> dict[str, dict[int, dict[int, float]]]:
    """The rungs as a resume rebuilds them."""
    space = SearchSpace.from_dict(history.space)
    asha = StudyAsha(
        max_epochs=space.budget.max_epochs,
        grace_epochs=space.scheduler.grace_epochs,
        reduction_factor=space.scheduler.reduction_factor,
    )
    asha.recall(history.trials)
    return asha.rungs()


def _stage(folder: Path, history: History) -> str:
    with suppress(ResultsError):
        if Results(folder).manifest()["state"] == "finished":
            return "report"
    return "confirmation" if history.searched else "trials"


# -- equality ---------------------------------------------------------------------------------


def differences(one: Results, other: Results) -> dict[str, str]:
    """What of two searches that should be equal is not: the part and its first difference."""
    found = {}
    for table in SCHEMAS:
        frames = [_timeless(results, table) for results in (one, other)]
        try:
            pd.testing.assert_frame_equal(*frames, check_exact=True)
        except AssertionError as error:
            found[table] = " ".join(str(error).split())[:300]
    manifests = [results.manifest() for results in (one, other)]
    for key in ("choices", "confirm_seeds", "arms", "splits", "seeds", "state"):
        if manifests[0][key] != manifests[1][key]:
            found[key] = f"{manifests[0][key]} and {manifests[1][key]}"[:300]
    rungs = [rungs_of(History.read(results.root)) for results in (one, other)]
    if rungs[0] != rungs[1]:
        found["rungs"] = f"{rungs[0]} and {rungs[1]}"[:300]
    reports = [
        _report(json.loads((results.root / "report" / "report.json").read_text()))
        for results in (one, other)
    ]
    if changed := sorted(k for k in reports[0] if reports[0][k] != reports[1].get(k)):
        found["report.json"] = f"under {', '.join(changed)}"
    return found


def _timeless(results: Results, table: Any) -> pd.DataFrame:
    frame = results.read(table).drop(columns=list(TIMES), errors="ignore")
    if "probabilities" in frame:
        frame["probabilities"] = frame["probabilities"].map(list)
    return frame.sort_values(KEYS[table], kind="stable").reset_index(drop=True)


def _report(value: Any) -> Any:
    """A report without what depends on the machine and the moment."""
    if isinstance(value, list):
        return [_report(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "columns" in value and "rows" in value:
        kept = [k for k, c in enumerate(value["columns"]) if c["name"] not in TIMES]
        value = {**value, "rows": [[row[k] for k in kept] for row in value["rows"]]}
    return {key: _report(item) for key, item in value.items() if key not in REPORT_TIMES}


# -- watching ---------------------------------------------------------------------------------


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


def keep_reading(folder: Path, stop: Any, told: Any) -> None:
    """The reader process: polls until ``stop`` is set, then puts its :class:`Reading`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reading = Reading()
    while not stop.is_set():
        reading.poll(folder)
        stop.wait(POLL_S)
    reading.poll(folder)
    told.put((reading.polls, reading.slowest_s, reading.faults))


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
        self._over = threading.Event()
        self.mine: set[int] = set()  # children that others wait for
        self.saves: list[tuple[float, int, int]] = []
        self.orphans: dict[int, tuple[str, float, float]] = {}

    def run(self) -> None:
        turn = 0
        while not self._over.wait(0.01):
            self._look_for_checkpoints()
            turn += 1
            if turn % 10 == 0:
                self._look_for_orphans()

    def close(self) -> None:
        self._over.set()
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


# -- kills ------------------------------------------------------------------------------------


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


# -- the whole ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long the undisturbed search took: to its first epoch, and after."""

    startup_s: float
    work_s: float

    @classmethod
    def of(cls, folder: Path) -> Pace:
        events = [json.loads(line) for line in (folder / EVENTS_FILE).read_text().splitlines()]
        began = next(e["began"] for e in events if e.get("kind") == "sitting")
        first = next(e["at"] for e in events if e.get("kind") == "epoch")
        return cls(startup_s=first - began, work_s=max(5.0, events[-1]["at"] - first))

    def wait(self, draw: random.Random, kills: int, *, fresh: bool) -> float:
        """Seconds to the next kill, so that about ``kills`` of them fit one search.

        Args:
            fresh: the sitting has yet to start up.
        """
        startup = self.startup_s if fresh else 0.0
        longest = min(startup + 2 * self.work_s / kills, 0.8 * (startup + self.work_s))
        return draw.uniform(0.5, longest + startup / 2)


def disturb(
    victim: Victim, draw: random.Random, plan: list[str], pace: Pace, arms: list[str]
) -> int:
    """Kills ``victim`` in the ways of ``plan`` and resumes it until it has ended.

    Returns:
        How many kills there was time for.
    """
    victim.sit()
    fresh = True
    while len(victim.kills) < len(plan):
        if not victim.goes_on(pace.wait(draw, len(plan), fresh=fresh)):
            break
        how = plan[len(victim.kills)]
        if not victim.kill(how, arms, pause=draw.uniform(0.1, 3.0)):
            break
        fresh = how != "trial"
        if fresh and victim.kills[-1].code != 0:
            victim.sit()
    code = victim.driver.wait(ENDING_S * 10)
    if code != 0:
        victim.faults.append(f"the last sitting ended with exit code {code}: {victim.output}")
    victim.end()
    return len(victim.kills)


def ways(draw: random.Random, mode: str, count: int) -> list[str]:
    """``count`` ways to kill; mixed, each of them once before any comes again."""
    if mode != "mixed":
        return [mode] * count
    found: list[str] = []
    while len(found) < count:
        found += draw.sample(list(HOWS), len(HOWS))
    return found[:count]


def table(victims: list[Victim]) -> str:
    """What was done, as Markdown."""
    rows = [
        "| kill | moment (s into sitting, stage) | how | trials ended before | epochs lost "
        "| rung entries before / after resume |",
        "|---|---|---|---|---|---|",
    ]
    kills = [(victim, kill) for victim in victims for kill in victim.kills]
    for number, (victim, kill) in enumerate(kills, start=1):
        code = "" if kill.code is None or kill.code < 0 else f" (exit code {kill.code})"
        lost = sum(kill.lost(victim.watch.saves).values())
        after = "–" if kill.after is None else kill.after.entries
        rows.append(
            f"| {number} | {kill.at:.1f}, {kill.stage} | {HOWS[kill.how]}{code} "
            f"| {kill.before.ended} of {kill.before.asked} asked | {lost} "
            f"| {kill.before.entries} / {after} |"
        )
    return "\n".join(rows)


def told(victim: Victim, unequal: dict[str, str]) -> list[str]:
    """What is to be said of one search besides its kills."""
    lives = [(last - first, name) for name, first, last in victim.watch.orphans.values()]
    longest, whose = max(lives, default=(0.0, "none"))
    trials = max((life for life, name in lives if "/" in name.partition(" ")[0]), default=0.0)
    lines = [
        f"{victim.folder.name}: {len(victim.kills)} kills, {victim.polls} polls of the reader "
        f"(slowest {victim.slowest_s:.2f} s), {len(victim.watch.saves)} checkpoints; outlived "
        f"their driver: trials' processes by at most {trials:.1f} s, any by {longest:.1f} s "
        f"({whose[:40]})",
        "equal to the undisturbed run: trials, epochs, confusion, predictions, choices, rungs, "
        f"report.json (times aside): {'no' if unequal else 'yes'}",
    ]
    lines += [f"  different: {part}: {how}" for part, how in unequal.items()]
    return lines + [f"  fault: {fault}" for fault in victim.faults]


def main() -> int:
    given = arguments()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    # A job in a shell's background is begun deaf to Ctrl-C, and so would its children be.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    reference = given.reference or out / "undisturbed"
    if given.reference is None:
        Victim(reference, *commands(given, reference)).undisturbed()
    pace, arms = Pace.of(reference), list(Results.open(reference).manifest()["arms"])
    victims: list[Victim] = []
    sound, left, seed = True, given.kills, given.seed
    text: list[str] = []
    while left > 0 and sound:
        draw = random.Random(seed)
        folder = out / f"killed-{seed}"
        victim = Victim(folder, *commands(given, folder))
        victims.append(victim)
        with victim.watched():
            left -= disturb(victim, draw, ways(draw, given.mode, left), pace, arms)
        unequal = differences(Results(reference), Results(folder))
        text += ["", *told(victim, unequal)]
        sound = not unequal and not victim.faults
        seed += 1
    report = "\n".join([table(victims), *text])
    (out / "kills.md").write_text(report + "\n")
    print(report)
    return 0 if sound else 1


def commands(given: argparse.Namespace, folder: Path) -> tuple[list[str], list[str]]:
    """The words of ``fer-tune`` that begin a search in ``folder``, and those that resume it."""
    bank = ["--bank", str(folder.with_suffix(".bank"))]
    search = ["search", given.space, "--data", str(given.data), "--results", str(folder)]
    search += [*given.options, "--set", "resources.max_concurrent=1", *bank]
    kept = list(given.options)
    while "--set" in kept:  # what a search began with stays with it
        at = kept.index("--set")
        del kept[at : at + 2]
    return search, ["resume", str(folder), *kept, *bank]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("space", help="a shipped search space's name, or a YAML file")
    parser.add_argument("--data", type=Path, required=True, help="packed dataset")
    parser.add_argument("--out", type=Path, required=True, help="an empty or new folder")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of ways and instants")
    parser.add_argument("--mode", choices=["mixed", *HOWS], default="mixed")
    parser.add_argument("--reference", type=Path, help="results of an undisturbed run")
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    given = parser.parse_args(own)
    given.options = options
    return given


if __name__ == "__main__":
    sys.exit(main())
