"""One epoch of training the tail, and one evaluation of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_tune import scores
from fer_tune.features.memory import MemoryFit, parts
from fer_tune.features.source import FeatureSource
from fer_tune.training.device.compute import Compute
from fer_tune.training.optimisation.optimiser import schedule_factor, set_learning_rates
from fer_tune.training.optimisation.steps import Steps


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one pass over a set of pictures.

    ``loss`` is the mean cross-entropy per picture without smoothing or class weights, so that
    trials with different settings of those can be compared.
    """

    loss: float
    counts: scores.Counts  # (classes, classes), row = true class

    @property
    def accuracy(self) -> float:
        return float(scores.accuracy(self.counts))

    @property
    def macro_f1(self) -> float:
        return float(scores.macro_f1(self.counts))


def batches(count: int, size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """A shuffled division of 0 .. count-1 into batches of at most ``size``, as equal as can be.

    Equal parts, because a last batch of one picture would break batch norm on 1×1 maps; for the
    same reason there may be a batch of 3 where batches of 2 would leave one picture over. The
    order depends only on (seed, epoch), so a resumed trial continues as if never interrupted.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    number = math.ceil(count / size)
    if count // number < 2:
        number = max(1, count // 2)
    return [np.sort(part) for part in np.array_split(order, number)]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The learning-rate schedule."""

    kind: str
    max_epochs: int
    warmup_epochs: float


def train_epoch(
    tail: nn.Module,
    optimiser: torch.optim.Optimizer,
    steps: Steps,
    source: FeatureSource,
    labels: NDArray[np.int64],
    *,
    classes: int,
    epoch: int,
    seed: int,
    batch_size: int,
    schedule: Schedule,
    device: torch.device,
) -> Outcome:
    """Trains ``tail`` on every row of ``source`` once.

    Nothing is read from the device before the end: a step that waits for the one before it leaves
    an accelerator idle.

    Args:
        steps: train ``tail`` through ``optimiser``.
        labels: classes to learn, shape (len(source),).
        classes: number of classes.
        epoch: from 1; with ``seed`` it fixes shuffle and dropout.

    Raises:
        OutOfMemory: not even a micro-batch of one picture fits.
    """
    tail.train()
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
    plan = batches(len(source), batch_size, seed, epoch)
    truth = torch.from_numpy(labels[np.concatenate(plan)]).to(device)
    logits: list[Tensor] = []
    sizes = [len(places) for places in plan]
    batch_labels = truth.split(sizes)  # type: ignore[no-untyped-call]
    for number, (places, batch) in enumerate(zip(plan, batch_labels, strict=True)):
        factor = schedule_factor(
            (epoch - 1) * len(plan) + number,
            steps_per_epoch=len(plan),
            max_epochs=schedule.max_epochs,
            warmup_epochs=schedule.warmup_epochs,
            schedule=schedule.kind,
        )
        set_learning_rates(optimiser, factor)
        logits.append(steps(source, places, batch))
    return assess(torch.cat(logits), truth, classes)


@torch.no_grad()
def predict(
    tail: nn.Module, source: FeatureSource, *, compute: Compute, fit: MemoryFit, chunk: int
) -> Tensor:
    """Logits (len(source), classes) in float32 on the device, in canonical chunks."""
    tail.eval()
    gathered: list[Tensor] = []
    for start in range(0, len(source), chunk):
        places = np.arange(start, min(start + chunk, len(source)))
        whole: list[Tensor] = []

        def forward(
            limit: int, places: NDArray[np.int64] = places, whole: list[Tensor] = whole
        ) -> None:
            whole.clear()
            for part in parts(len(places), limit):
                with compute.autocast():
                    whole.append(tail(source.rows(places[part])).float())

        fit.run(forward)
        gathered += whole
    return torch.cat(gathered)


def assess(logits: Tensor, labels: Tensor, classes: int) -> Outcome:
    """Loss and confusion counts of ``logits`` (n, classes) against ``labels`` (n,).

    Both are on one device, which is read once. The losses of the pictures are summed in float64,
    where rounding does not grow with their number.
    """
    losses = nn.functional.cross_entropy(logits, labels, reduction="none")
    cells = labels * classes + logits.argmax(dim=1)
    # Whole numbers are exact in float64, so that one tensor holds everything that is read.
    # ``torch.bincount`` would read the largest cell first.
    counts = torch.zeros(classes * classes, dtype=torch.float64, device=logits.device)
    counts.index_add_(0, cells, torch.ones_like(cells, dtype=torch.float64))
    loss, *read = torch.cat([losses.double().sum()[None], counts]).tolist()
    table: scores.Counts = np.array(read, dtype=np.int64).reshape(classes, classes)
    return Outcome(loss=loss / len(labels), counts=table)
