"""A search of many recorded trials through the real driver: does anything grow with its length?

Ray, Optuna, ASHA, the event log and the records are the real ones; the training is a recorded
curve that takes no time, so that what is measured is the driver alone. Prints, per quarter of the
search: reports per second, the driver's resident memory, the bytes and files of the results folder
per trial, and the longest gap between two reports. Then what a resume of it costs.

    python -m benchmarks.scheduling.long_search --trials 1000
"""

from __future__ import annotations

import argparse
import functools
import io
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.scheduling.curves import EPOCHS, play
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.monitor.metrics import Metrics
from fer_tune.tuning.monitor.mirrors import Journal, TensorBoard
from fer_tune.tuning.monitor.progress import Progress
from fer_tune.tuning.monitor.recorder import Recorder
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.raytune.replay import Player, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.runtime import ray_connection
from fer_tune.tuning.raytune.tune_runner import run_phase
from fer_tune.tuning.studies.asha import StudyAsha
from fer_tune.tuning.studies.searcher import StudySearcher


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=1000)
    options.add_argument("--cpus", type=int, default=2)
    chosen = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        ray_connection(SearchOptions(cpus=chosen.cpus, dashboard=False)),
    ):
        root = Path(folder)
        space = space_of(chosen.trials)
        meter = Meter(root, chosen.trials)
        search(space, root, meter, asked=2 * chosen.cpus, play=play)
        meter.show()
        resume(space, root)


def search(
    space: SearchSpace, root: Path, *callbacks: DriverCallback, asked: int, play: Player
) -> None:
    """The search as ``fer-tune search`` runs it, on the Ray that is there."""
    results = Results(root)
    log = EventLog.begin(root, {"space": space.as_dict()})
    history = History.read(root)
    searcher = StudySearcher(space, log)
    quiet = Console(file=io.StringIO())
    run_phase(
        space,
        replay_settings(space, root),
        name="search",
        asked=asked,
        callbacks=[
            Recorder(results, log, history, classes=("x", "y"), gpu=0.0, cpu=1.0),
            TensorBoard(root / "tensorboard", history),
            Journal(root / "optuna.journal", searcher),
            Metrics("long", history),
            Progress(quiet, results, history=history, total=space.budget.trials, title="search"),
            *callbacks,
        ],
        interruption=Interruption(Console()),
        scheduler=_scheduler(space),
        searcher=searcher,
        make_run=functools.partial(ReplayedRun, play),
    )


def resume(space: SearchSpace, root: Path) -> None:
    """Times what a resume does before its first trial, and reading the records."""
    began = time.monotonic()
    history = History.read(root)
    read = time.monotonic()
    scheduler = _scheduler(space)
    scheduler.replay(history.trials)
    searcher = StudySearcher(space, EventLog(root), history=history)
    recalled = time.monotonic()
    trials = Results(root).read("trials")
    epochs = Results(root).read("epochs")
    tables = time.monotonic()
    print(
        f"resume: log read in {read - began:.2f} s, studies and rungs rebuilt in "
        f"{recalled - read:.2f} s ({searcher.remaining} trials left)"
    )
    print(f"records: {len(trials)} trials, {len(epochs)} epochs read in {tables - recalled:.2f} s")


class Meter(DriverCallback):
    """Takes the driver's measures at every quarter of the trials."""

    def __init__(self, root: Path, trials: int) -> None:
        self._root, self._trials = root, trials
        self._ended = self._reports = 0
        self._began = self._last = time.monotonic()
        self._gap = 0.0
        self._rows: list[tuple[Any, ...]] = []

    def on_trial_result(self, **info: Any) -> None:
        now = time.monotonic()
        if self._reports or self._rows:
            self._gap = max(self._gap, now - self._last)
        else:
            self._began = now  # processes start before the first report
        self._last = now
        self._reports += 1

    def on_trial_complete(self, **info: Any) -> None:
        self._ended += 1
        if self._ended % (self._trials // 4) == 0:
            self._take()

    def _take(self) -> None:
        now = time.monotonic()
        sizes = [f.lstat() for f in self._root.rglob("*") if not f.is_dir()]
        self._rows.append(
            (
                self._ended,
                self._reports / (now - self._began),
                resident_mib(),
                sum(s.st_blocks * 512 for s in sizes) / self._ended / 1024,
                len(sizes) / self._ended,
                (self._root / EVENTS_FILE).stat().st_size / self._ended / 1024,
                self._gap,
            )
        )
        self._reports, self._gap = 0, 0.0
        self._began = self._last = time.monotonic()

    def show(self) -> None:
        print(
            "| trials | reports/s | driver MiB | KiB/trial | files/trial | log KiB/trial | gap s |"
        )
        print("|---|---|---|---|---|---|---|")
        for ended, rate, memory, disk, files, log, gap in self._rows:
            print(
                f"| {ended} | {rate:.1f} | {memory:.0f} | {disk:.0f} | {files:.1f} "
                f"| {log:.1f} | {gap:.2f} |"
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"driver's peak memory: {peak:.0f} MiB")


def _scheduler(space: SearchSpace) -> StudyAsha:
    return StudyAsha(max_epochs=EPOCHS, grace_epochs=1, reduction_factor=3)


def space_of(trials: int) -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "name": "long",
            "purpose": "Many recorded trials.",
            "compare": {"arms": ["densenet161", "resnet152"]},
            "parameters": {
                "unfreeze_depth": {"type": "int", "low": 0, "high": 5},
                "crop_size": {"type": "choice", "values": [32, 48, 64]},
                "lr_head": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
            },
            "budget": {"trials": trials, "max_epochs": EPOCHS},
            "scheduler": {"kind": "asha", "grace_epochs": 1, "reduction_factor": 3},
            "stopper": {"enabled": False},
            "weights": "none",
        }
    )


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
