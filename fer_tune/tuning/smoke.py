"""A tiny search on the accelerator at hand, two trials sharing it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.run import run_search

TRIALS, SEEDS = 4, 2


def smoke_space(gpu: float) -> SearchSpace:
    """The tiny search; every trial holds the share ``gpu`` of an accelerator, or 0 and a CPU."""
    return SearchSpace.from_dict(
        {
            "name": "gpu_smoke",
            "purpose": "Shows that searches run on this accelerator.",
            "compare": {"arms": ["densenet121", "resnet18"]},
            "parameters": {
                "unfreeze_depth": {"type": "int", "low": 1, "high": 2},
                "crop_size": 48,
                "lr_head": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
                "batch_size": 32,
            },
            "budget": {"trials": TRIALS, "max_epochs": 4},
            "scheduler": {"kind": "none"},
            "stopper": {"enabled": False},
            "resources": {"cpu": 1, "gpu": gpu, "max_concurrent": 2},
            "weights": "none",
            "confirm": {"seeds": SEEDS},
        }
    )


def smoke_search(
    dataset: PackedDataset, folder: Path, *, gpu: float, options: SearchOptions
) -> Results:
    """Runs the tiny search in ``folder``, with a bank of its own and two CPUs."""
    options = replace(options, cpus=2, bank=folder.parent / "bank", dashboard=False)
    return run_search(smoke_space(gpu), dataset, folder, options, Console(quiet=True))


def at_the_same_time(trials: pd.DataFrame) -> float:
    """The most seconds that two runs of ``trials`` trained at the same time; 0 if never."""
    spans = sorted(zip(trials["started"], trials["started"] + trials["seconds"], strict=True))
    overlaps = [
        min(end, other_end) - other_start
        for number, (_, end) in enumerate(spans)
        for other_start, other_end in spans[number + 1 :]
    ]
    return max([0.0, *map(float, overlaps)])
