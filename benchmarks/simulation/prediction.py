"""Prediction against reality: from half of a recorded search, what the whole of it came to.

    python -m benchmarks.simulation.prediction --record FOLDER [--data ZIP --weights FOLDER]
        [--seeds 0 1]
    python -m benchmarks.simulation.prediction --check FOLDER   # ten random halves of each

Recorded are head-only searches of 64 trials, one per seed. A half has half of the trials of each
arm, and half of the confirmation seeds. The surrogate of ``fer-tune simulate --from`` is fitted to
it, and the whole search is simulated 20 times with seeds of its own. Printed per recording: of how
many halves the interval that nine in ten simulated searches lie in holds the real epochs, the real
seconds that runs held, and the real best value of each arm; its half width in per cent of its
middle, median and largest; and how often the real verdict is the predicted one.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import analysis
from analysis.inputs.search import Search
from analysis.report.document import build
from fer_tune.cli.planning.verdicts import verdict
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.forecast import Spread
from fer_tune.simulation.recorded.surrogate import fit_arm
from fer_tune.simulation.recorded.world import RecordedWorld
from fer_tune.simulation.running import Simulator, jobs
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.space import SearchSpace, recorded_space

HALVES, SIMULATED = 10, 20
#: Runs of an arm, and of its confirmation, that are in every half.
FIRST = 2
SPACE: dict[str, Any] = {
    "purpose": "A head-only search that is recorded.",
    "compare": {"arms": ["resnet18", "resnet34"], "replicates": 1},
    "parameters": {
        "unfreeze_depth": 0,
        "crop_size": 48,
        "lr_head": {"type": "float", "low": 1e-4, "high": 3e-2, "log": True},
        "weight_decay": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
        "label_smoothing": {"type": "float", "low": 0.0, "high": 0.2},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "batch_size": {"type": "choice", "values": [32, 64]},
    },
    "budget": {"trials": 64, "max_epochs": 12},
    "scheduler": {"grace_epochs": 2, "reduction_factor": 3},
    "augment": {"views": 2},
    "resources": {"cpu": 1, "gpu": 0},
    "weights": "none",
    "precision": "float32",
    "confirm": {"seeds": 5},
}


def record(folder: Path, source: str, weights: str, seeds: Sequence[int]) -> None:
    """A search per seed.

    Args:
        weights: of DenseNet161 and ResNet152; with none, small networks without any.
        seeds: of the searches, which name their folders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _command("data", "import", source, "--out", str(folder / "faces"))
    own = {**SPACE, "weights": weights}
    if weights != "none":
        own["compare"] = {**SPACE["compare"], "arms": ["densenet161", "resnet152"]}
    for seed in seeds:
        name = recording(seed)
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, **own, "seeds": {"search": seed}}))
        where = ("--data", str(folder / "faces"), "--results", str(folder / name))
        _command("search", str(path), *where)


def recording(seed: int) -> str:
    """The name of a recording."""
    return f"seed-{seed}"


def _command(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "fer_tune", *words], check=True)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """An interval over simulated searches and the real value."""

    interval: Spread
    real: float

    @property
    def holds(self) -> bool:
        return self.interval.low <= self.real <= self.interval.high

    @property
    def half_width(self) -> float:
        """Share of the middle."""
        middle = (self.interval.high + self.interval.low) / 2
        return (self.interval.high - self.interval.low) / 2 / middle


def real_figures(search: Search) -> dict[str, float]:
    """What the whole search came to."""
    runs = pd.concat([search.trials, search.confirmations])
    found = {
        "epochs": float(runs["epochs"].sum()),
        "seconds held": float(runs["seconds"].sum() + runs["setup_seconds"].sum()),
    }
    eligible = search.trials[search.trials["state"].isin(["complete", "overfit"])]
    for arm, mine in eligible.groupby("arm"):
        found[f"best of {arm}"] = float(mine[search.metric_column].max())
    return found


def simulated_figures(search: SimulatedSearch) -> dict[str, float]:
    """The same of a simulated search."""
    found = {
        "epochs": float(search.epochs),
        "seconds held": sum(run.held_s for run in search.runs),
    }
    for arm in search.space.compare.arms:
        ended = [r for r in search.trials if r.state in ("complete", "overfit")]
        found[f"best of {arm}"] = max(
            (r.best for r in ended if r.assignment.arm == arm), default=math.nan
        )
    return found


def half(search: Search, draws: np.random.Generator) -> pd.DataFrame:
    """Half of each arm's trials and half of its confirmation runs, rounded up.

    The first two of each are in every half: a search that ends half-way has them, the first trial
    computes the features that others read, and the second may wait for these.
    """
    kept = []
    for table in (search.trials, search.confirmations):
        for _, mine in table.groupby("arm"):
            count = (len(mine) + 1) // 2
            first = min(FIRST, len(mine))
            others = first + draws.permutation(len(mine) - first)[: max(0, count - first)]
            kept.append(mine.sort_values("trial").iloc[[*range(first), *others]])
    return pd.concat(kept, ignore_index=True)


def predicted(
    search: Search, space: SearchSpace, rows: pd.DataFrame, seed: int
) -> list[SimulatedSearch]:
    """Simulated searches from the records of ``rows``."""
    epochs = search.epochs[search.epochs["trial"].isin(rows["trial"])]
    metric = f"val_{space.metric}"
    arms = {arm: fit_arm(space, arm, rows, epochs, metric) for arm in space.compare.arms}
    world = RecordedWorld(space, space, arms, classes=max(2, len(search.classes))).reseeded
    fleet = Fleet.of(space, 2)
    return Simulator().run(jobs(space, world, fleet, runs=SIMULATED, seed=seed))


def check(folder: Path) -> Iterator[str]:
    """A table per recording."""
    found = {int(of.stem.removeprefix("seed-")): of.stem for of in folder.glob("seed-*.yaml")}
    for recorded, name in sorted(found.items()):
        search = analysis.load(folder / name)
        space = recorded_space(search.manifest["space"], where=name)
        real, outcome = real_figures(search), build(search)["verdict"]["kind"]
        figures: dict[str, list[Figure]] = {key: [] for key in real}
        agrees: list[float] = []
        for number in range(HALVES):
            draws = np.random.default_rng([number, recorded])
            searches = predicted(search, space, half(search, draws), number)
            rows = [simulated_figures(one) for one in searches]
            for key, value in real.items():
                interval = Spread.of([row[key] for row in rows])
                assert interval is not None, "every simulated search has these figures"
                figures[key].append(Figure(interval=interval, real=value))
            agrees.append(float(np.mean([verdict(one) == outcome for one in searches])))
        yield from table(name, figures, outcome, agrees)


def table(
    name: str, figures: dict[str, list[Figure]], outcome: str, agrees: list[float]
) -> Iterator[str]:
    """Markdown rows of a recording."""
    for key, of in figures.items():
        widths = [figure.half_width for figure in of]
        means = [figure.interval.mean for figure in of]
        yield (
            f"| {name} | {key} | {of[0].real:.4g} | {np.min(means):.4g} – {np.max(means):.4g} | "
            f"{sum(figure.holds for figure in of)} of {len(of)} | ±{np.median(widths):.1%} | "
            f"±{max(widths):.1%} |"
        )
    yield f"| {name} | verdict | {outcome} | | {np.mean(agrees):.0%} of simulated searches | | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", type=Path, help="record into this folder")
    parser.add_argument("--data", default="synthetic:600", help="source of pictures to record with")
    parser.add_argument("--weights", default="none", help="folder of trained backbones, or none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the searches")
    parser.add_argument("--check", type=Path, help="check the recordings of this folder")
    given = parser.parse_args()
    if given.record is not None:
        record(given.record, given.data, given.weights, given.seeds)
    if given.check is not None:
        print("| recording | figure | real | predicted | holds | width, median | widest |")
        print("|---" * 7 + "|")
        for line in check(given.check):
            print(line, flush=True)


if __name__ == "__main__":
    main()
