"""What a search costs besides its training: ours against bare Ray Tune, on trials without work.

Both sides run the same number of trials of the same length, as many at once, with TPE, ASHA and
reused processes: ours through the real driver (log, records, mirrors, metrics, checkpoints), the
other one with OptunaSearch, ASHAScheduler and a class Trainable, as Ray's documentation shows them,
with Ray's own loggers and snapshots. Each run is a process of its own, and sides alternate.

CPU time per report is the steadier figure on a machine that is shared: of the driver, of the
processes that run trials, and of Ray's own services. Memory is the driver's, by a line through all
samples after the first.

    python -m benchmarks.scheduling.driver --trials 300 --pairs 3
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.scheduling.curves import EPOCHS, play
from benchmarks.scheduling.long_search import resident_mib, search, space_of
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.runtime import ray_connection

SIDES = ("ours", "bare")
FIGURES = ("reports/s", "driver ms", "workers ms", "Ray ms", "MiB per 1,000 trials")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=300)
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--cpus", type=int, default=2)
    options.add_argument("--side", choices=SIDES, help="runs one side and prints its figures")
    chosen = options.parse_args()
    if chosen.side:
        run = run_ours if chosen.side == "ours" else run_bare
        print(json.dumps(run(chosen.trials, chosen.cpus).figures()))
        return
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    print(f"| side | reports | {' | '.join(FIGURES)} |\n|---|---|{'---|' * len(FIGURES)}")
    for pair in range(chosen.pairs):
        for side in SIDES if pair % 2 == 0 else SIDES[::-1]:
            figures = in_a_process(side, chosen.trials, chosen.cpus)
            found[side].append(figures)
            print(row(side, figures), flush=True)
    for side in SIDES:
        names = found[side][0]
        medians = {name: statistics.median(run[name] for run in found[side]) for name in names}
        print(row(f"**{side}**", medians))
    ratios = [a["reports/s"] / b["reports/s"] for a, b in zip(*found.values(), strict=True)]
    print(f"reports/s, ours / bare: {statistics.median(ratios):.2f}, median of {len(ratios)} pairs")


def in_a_process(side: str, trials: int, cpus: int) -> dict[str, float]:
    """The figures of one run of ``side``."""
    command = [sys.executable, "-m", "benchmarks.scheduling.driver", "--side", side]
    command += ["--trials", str(trials), "--cpus", str(cpus)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def row(side: str, figures: dict[str, float]) -> str:
    cells = " | ".join(f"{figures[name]:.1f}" for name in FIGURES)
    return f"| {side} | {figures['reports']:.0f} | {cells} |"


def run_ours(trials: int, cpus: int) -> Meter:
    """A search of recorded trials."""
    meter = Meter(trials)
    with (
        tempfile.TemporaryDirectory() as folder,
        ray_connection(SearchOptions(cpus=cpus, dashboard=False)),
    ):
        search(space_of(trials), Path(folder), meter, asked=2 * cpus, play=play)
    return meter


def run_bare(trials: int, cpus: int) -> Meter:
    """The same search as Ray's documentation writes it."""
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    meter = Meter(trials)
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
    space: dict[str, Any] = {
        "arm": tune.choice(["densenet161", "resnet152"]),
        "unfreeze_depth": tune.randint(0, 6),
        "crop_size": tune.choice([32, 48, 64]),
        "lr_head": tune.loguniform(1e-4, 1e-1),
    }
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            tune.with_resources(bare_trainable(), {"cpu": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(
                metric="score",
                mode="max",
                num_samples=trials,
                search_alg=OptunaSearch(seed=0),
                scheduler=ASHAScheduler(
                    time_attr="training_iteration",
                    max_t=EPOCHS,
                    grace_period=1,
                    reduction_factor=3,
                ),
                max_concurrent_trials=2 * cpus,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="bare",
                storage_path=folder,
                verbose=0,
                callbacks=[meter],
                checkpoint_config=tune.CheckpointConfig(
                    checkpoint_frequency=0, checkpoint_at_end=False
                ),
            ),
        ).fit()
    ray.shutdown()
    return meter


def bare_trainable() -> Any:
    """A Trainable that reports curves like those of :func:`play`, and nothing else."""
    import random

    from ray import tune

    class Bare(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            self._epoch, self._top = 0, random.Random(repr(config)).uniform(0.2, 0.8)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            self._epoch += 1
            value = self._top * (1 - 0.5**self._epoch)
            return {"score": value, "done": self._epoch >= EPOCHS}

    return Bare


class Meter(DriverCallback):
    """Takes reports, CPU time and memory, once an eighth of the trials has ended."""

    def __init__(self, trials: int) -> None:
        self._every, self._trials = max(1, trials // 8), trials
        self._reports = self._ended = 0
        self._usage = Usage()
        self._rows: list[tuple[float, ...]] = []  # trials, reports, time, MiB, then CPU times

    def on_trial_result(self, **info: Any) -> None:
        self._reports += 1

    def on_trial_complete(self, **info: Any) -> None:
        self._ended += 1
        if self._ended % self._every == 0:
            taken = self._usage.take()
            now = time.monotonic() - self._usage.spent_s
            self._rows.append((self._ended, self._reports, now, resident_mib(), *taken))

    def figures(self) -> dict[str, float]:
        trials, reports, times, memory, *cpu = zip(*self._rows, strict=True)
        count = reports[-1] - reports[0]
        per_report = [1000 * (used[-1] - used[0]) / count for used in cpu]
        slope = statistics.linear_regression(trials[1:], memory[1:]).slope
        rate = count / (times[-1] - times[0])
        return {
            "reports": count,
            **dict(zip(FIGURES, [rate, *per_report, 1000 * slope], strict=True)),
        }


class Usage:
    """CPU time of this process, of those that run trials, and of Ray's services.

    Attributes:
        spent_s: seconds that taking it has cost; left out of this process's time.
    """

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._cpu: dict[int, float] = {}  # by process, also of those that have ended
        self._services: set[int] = set()

    def take(self) -> tuple[float, float, float]:
        """Seconds so far: driver, workers, Ray."""
        began = time.process_time()
        for pid in family(os.getpid()):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            self._cpu[pid] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
            if b"worker" not in command and (
                not command.startswith(b"ray::") or b"Agent" in command
            ):
                self._services.add(pid)
        ray = sum(self._cpu[pid] for pid in self._services - {os.getpid()})
        workers = sum(used for pid, used in self._cpu.items() if pid not in self._services)
        self.spent_s += time.process_time() - began
        return time.process_time() - self.spent_s, workers, ray


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [root]
    for pid in found:  # grows meanwhile
        found += [child for child, parent in parents.items() if parent == pid]
    return found


if __name__ == "__main__":
    main()
