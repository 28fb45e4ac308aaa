"""Training steps on one batch, alone: what the measurements of a GPU and of a CPU share."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch

from fer_tune.data import PackedDataset
from fer_tune.profiling.cases import Case
from fer_tune.profiling.measuring import FixedRows
from fer_tune.space import SearchSpace
from fer_tune.training.context import TrialContext
from fer_tune.training.trial import RunSeeds, TrialRun
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.settings import trial_context

STEPS = 20


def make_run(
    folder: Path,
    crop: int,
    depth: int,
    batch: int,
    *,
    graphs: bool = False,
    share: float = 1.0,
    device: str | None = None,
    backbone: str = "densenet161",
    precision: str = "auto",
) -> TrialRun:
    """A run on the drawn faces, with its network built."""
    space = SearchSpace.from_dict(
        {
            "name": "gpu",
            "purpose": "Steps on a GPU.",
            "compare": {"arms": [backbone]},
            "budget": {"trials": 1, "max_epochs": 1},
            "stopper": {"enabled": False},
            "scheduler": {"kind": "none"},
            "resources": {"gpu": share if device is None else 0},
            "weights": "none",
            "precision": precision,
        }
    )
    dataset = PackedDataset.open(folder / "faces")
    context: TrialContext = replace(
        trial_context(space, dataset, SearchOptions(), folder / "bank"), bank=None, graphs=graphs
    )
    case = Case(arm=backbone, crop_size=crop, unfreeze_depth=depth, batch_size=batch)
    run = TrialRun(context, space.config(backbone, case.shape), RunSeeds(run=0, weights=0, views=0))
    run.prepare()
    return run


class Stepping:
    """Steps of a run on one batch, whose features are there already."""

    def __init__(self, run: TrialRun, batch: int) -> None:
        self.run, self.places = run, torch.arange(batch).numpy()
        self.features = run.features.train.view(0).rows(self.places)
        self.truth = torch.from_numpy(run.train_labels[self.places]).to(run.compute.device)
        run.tail.train()

    def __call__(self) -> float:
        """The mean loss over some steps."""
        source = FixedRows(self.features)
        torch.manual_seed(0)
        total = torch.zeros((), device=self.run.compute.device)
        for _ in range(STEPS):
            logits = self.run.steps(source, self.places, self.truth)
            total += torch.nn.functional.cross_entropy(logits, self.truth)
        return float(total) / STEPS


def operations(run: TrialRun, features: torch.Tensor) -> int:
    """Floating-point operations of one training step of the tail on ``features``."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, run.compute.autocast():
        run.tail(features).float().sum().backward()
    run.tail.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


def peak(run: TrialRun, side: int = 8192) -> float:
    """Operations per second of a large matrix product, in the precision of the run."""
    one = torch.randn(side, side, device=run.compute.device, dtype=run.compute.dtype)
    for _ in range(3):
        one @ one
    run.compute.synchronise()
    began = time.perf_counter()
    for _ in range(10):
        one @ one
    run.compute.synchronise()
    return 10 * 2 * side**3 / (time.perf_counter() - began)
