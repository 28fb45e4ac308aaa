"""Kills a search again and again, resumes it every time, and compares it with an undisturbed run.

    python -m benchmarks.killing quickstart --data D --kills 20 --seed 1 --out FOLDER -- --cpus 2

What follows ``--`` goes to ``fer-tune search``. A search that ends before all kills are made is
compared, and another one is started. Results can be equal to the last bit only where trials run one
at a time: ``--set resources.max_concurrent=1`` is always given. Linux alone: it reads /proc.

Exit code 1 if anything was lost, repeated, unreadable, left running or different.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.killing.snapshots import differences
from benchmarks.killing.victim import ENDING_S, HOWS, Victim
from benchmarks.processes import adopt_orphans
from fer_tune.records import Results
from fer_tune.tuning.log.events import EVENTS_FILE


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
            fresh: the session has yet to start up.
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
        victim.faults.append(f"the last session ended with exit code {code}: {victim.output}")
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
        "| kill | moment (s into session, phase) | how | trials ended before | epochs lost "
        "| rung entries before / after resume |",
        "|---|---|---|---|---|---|",
    ]
    kills = [kill for victim in victims for kill in victim.kills]
    for number, kill in enumerate(kills, start=1):
        code = "" if kill.code is None or kill.code < 0 else f" (exit code {kill.code})"
        lost = sum(kill.lost().values())
        after = "–" if kill.after is None else kill.after.entries
        rows.append(
            f"| {number} | {kill.at:.1f}, {kill.phase} | {HOWS[kill.how]}{code} "
            f"| {kill.before.ended} of {kill.before.asked} asked | {lost} "
            f"| {kill.before.entries} / {after} |"
        )
    return "\n".join(rows)


def summary(victim: Victim, unequal: dict[str, str]) -> list[str]:
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
    # A background job of a shell ignores Ctrl-C, and so would its children.
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
        text += ["", *summary(victim, unequal)]
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
