"""Whole searches against stock Ray Tune on the CPU: reference configurations, and heads alone.

    python -m benchmarks.training.reference --peer stock_ray_tune.py --out FOLDER [--pairs 3]

The peer is a stock Ray Tune script with the arguments PICTURES CONFIGS EPOCHS GPU_SHARE COUNT that
prints a JSON line with ``wall_s``, the seconds of its trials. It reads exactly the training and
validation pictures of our search, as PNG files. Each side is a process of its own and sides
alternate; ours begins with an empty feature bank. ``reference`` runs the configurations for 2
epochs on both sides; ``heads`` runs 48 head-only trials for 3 epochs, of which the peer runs six
and its time is scaled.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.training.bank import CLASSES, as_folders
from fer_tune.data import PackedDataset, import_source
from fer_tune.space import SearchSpace
from fer_tune.training.inputs import data_of
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.settings import trial_context

ARMS = ("densenet161", "resnet152")
#: Unfreeze depth, crop size and learning rate of the reference configurations, for each arm.
REFERENCE = (
    (0, 48, 3e-3),
    (0, 48, 1e-3),
    (1, 48, 1e-3),
    (1, 48, 3e-4),
    (2, 48, 3e-4),
    (0, 64, 1e-3),
)
HEADS = tuple((0, 48, 1e-2 / 1.2**step) for step in range(24))


@dataclass(frozen=True)
class Task:
    """The configurations of both sides, and how many the peer runs."""

    name: str
    epochs: int
    shapes: tuple[tuple[int, int, float], ...]
    peer_trials: int

    @property
    def configs(self) -> list[dict[str, Any]]:
        return [
            {
                "backbone": arm,
                "unfreeze_depth": depth,
                "crop_size": crop,
                "lr": rate,
                "batch_size": 64,
            }
            for depth, crop, rate in self.shapes
            for arm in ARMS
        ]

    def space(self) -> dict[str, Any]:
        """The same configurations as a search space of ours."""
        baseline = []
        for config in self.configs:
            one = dict(config)
            rate = one.pop("lr")
            baseline.append(
                {"arm": one.pop("backbone"), **one, "lr_head": rate, "lr_backbone": rate}
            )
        return {
            "name": self.name,
            "purpose": "Configurations that both sides train; nothing is stopped.",
            "compare": {"arms": list(ARMS), "allocation": "equal"},
            "cohorts": {"random": 0.0, "baseline": baseline},
            "budget": {"trials": len(baseline), "max_epochs": self.epochs},
            "scheduler": {"kind": "none"},
            "stopper": {"enabled": False},
            "resources": {"cpu": 2, "gpu": 0},
            "augment": {"views": 2},
            "weights": "none",
            "confirm": {"seeds": 0},
        }


TASKS = {
    "reference": Task("reference", 2, REFERENCE, 2 * len(REFERENCE)),
    "heads": Task("heads", 3, HEADS, 6),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--peer", type=Path, required=True, help="stock Ray Tune script")
    options.add_argument("--out", type=Path, required=True, help="a new folder")
    options.add_argument("--pictures", type=int, default=900)
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--task", choices=TASKS, action="append")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True)
    import_source(f"synthetic:{chosen.pictures}", chosen.out / "faces", classes=CLASSES)
    for name in chosen.task or TASKS:
        compare(TASKS[name], chosen)


def compare(task: Task, chosen: argparse.Namespace) -> None:
    """Runs the pairs of one task and prints its lines."""
    space = chosen.out / f"{task.name}.yaml"
    space.write_text(yaml.safe_dump(task.space()))
    configs = chosen.out / f"{task.name}.jsonl"
    configs.write_text("".join(json.dumps(config) + "\n" for config in task.configs))
    pictures = _pictures(task, chosen.out)
    ratios = []
    for number in range(chosen.pairs):
        seconds = {}
        for side in ("stock", "ours") if number % 2 == 0 else ("ours", "stock"):
            if side == "ours":
                seconds[side] = _ours(space, chosen.out)
            else:
                seconds[side] = _stock(chosen.peer, pictures, configs, task)
            print(f"{task.name}, pair {number + 1}: {side} {seconds[side]:.1f} s", flush=True)
        ratios.append(seconds["stock"] / seconds["ours"])
    print(
        f"{task.name}: stock / ours {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}), {len(ratios)} pairs",
        flush=True,
    )


def _pictures(task: Task, out: Path) -> Path:
    """The pictures that our search trains and validates on, in the folders that the peer reads."""
    folder = out / "pictures"
    if not folder.exists():
        dataset = PackedDataset.open(out / "faces")
        space = SearchSpace.from_dict(task.space())
        _, split = data_of(trial_context(space, dataset, SearchOptions(), out / "unused"))
        as_folders(dataset, split, folder)
        for ours, theirs in (("train", "Training"), ("validation", "Testing")):
            (folder / theirs).mkdir()
            (folder / ours).rename(folder / theirs / theirs)
    return folder


def _ours(space: Path, out: Path) -> float:
    """Seconds of our command, its start and report included, with an empty bank."""
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        command = [sys.executable, "-m", "fer_tune", "search", str(space)]
        command += ["--data", str(out / "faces"), "--results", f"{scratch}/results"]
        command += ["--bank", f"{scratch}/bank", "--cpus", "2", "--no-dashboard"]
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        return time.monotonic() - began


def _stock(peer: Path, pictures: Path, configs: Path, task: Task) -> float:
    """Seconds of the peer's command; the time of its trials is scaled to all of them."""
    command = [sys.executable, str(peer), str(pictures), str(configs), str(task.epochs), "0"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, str(task.peer_trials)], check=True, capture_output=True, text=True
    )
    whole = time.monotonic() - began
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if found["errors"]:
        raise SystemExit(f"the peer's trials failed: {found['errors'][0]}")
    trials = float(found["wall_s"])
    return whole - trials + trials * len(task.configs) / task.peer_trials


if __name__ == "__main__":
    main()
