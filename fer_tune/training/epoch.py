"""One epoch of training the tail, and one evaluation of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_tune import scores
from fer_tune.features import FeatureSource, MemoryFit, parts
from fer_tune.training.compute import Compute
from fer_tune.training.optimiser import schedule_factor, set_learning_rates


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one pass over a set of pictures gave.

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


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The loss that is minimised: cross-entropy with label smoothing and class weights."""

    label_smoothing: float
    class_weights: Tensor | None  # (classes,), mean 1

    def total(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Summed over pictures, so that micro-batches add up to the whole batch."""
        return nn.functional.cross_entropy(
            logits,
            labels,
            weight=self.class_weights,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )


def balanced_weights(labels: NDArray[np.int64], classes: int) -> Tensor:
    """Weights (classes,) inversely proportional to frequency, with mean 1 over pictures."""
    frequency = np.bincount(labels, minlength=classes) / len(labels)
    weights = 1.0 / np.maximum(frequency, 1e-12) / classes
    return torch.from_numpy(weights.astype(np.float32))


def batches(count: int, size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """A shuffled division of 0 .. count-1 into batches of at most ``size``, as equal as can be.

    Equal parts, because a last batch of one picture would break batch norm on 1×1 maps; for the
    same reason a batch of 3 may stand where batches of 2 would leave one picture over. The
    order depends on (seed, epoch) alone, so a resumed trial goes on as if never stopped.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    number = math.ceil(count / size)
    if count // number < 2:
        number = max(1, count // 2)
    return [np.sort(part) for part in np.array_split(order, number)]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Where in the learning-rate schedule an epoch stands."""

    kind: str
    max_epochs: int
    warmup_epochs: float


def train_epoch(
    tail: nn.Module,
    optimiser: torch.optim.Optimizer,
    objective: Objective,
    source: FeatureSource,
    labels: NDArray[np.int64],
    *,
    classes: int,
    epoch: int,
    seed: int,
    batch_size: int,
    schedule: Schedule,
    compute: Compute,
    fit: MemoryFit,
) -> Outcome:
    """Trains ``tail`` on every row of ``source`` once.

    Args:
        labels: true classes, shape (len(source),).
        epoch: from 1; with ``seed`` it fixes shuffle and dropout.

    Raises:
        OutOfMemory: not even a micro-batch of one picture fits.
    """
    tail.train()
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
    plan = batches(len(source), batch_size, seed, epoch)
    tally = _Tally(classes)
    for number, places in enumerate(plan):
        factor = schedule_factor(
            (epoch - 1) * len(plan) + number,
            steps_per_epoch=len(plan),
            max_epochs=schedule.max_epochs,
            warmup_epochs=schedule.warmup_epochs,
            schedule=schedule.kind,
        )
        set_learning_rates(optimiser, factor)
        truth = torch.from_numpy(labels[places]).to(compute.device)
        step = _Step(tail, optimiser, objective, source, places, truth, compute)
        fit.run(step.gradients)
        optimiser.step()
        tally.add(step.logits, truth)
    return tally.outcome()


class _Step:
    """Gradients of one batch, in micro-batches of whatever fits."""

    def __init__(
        self,
        tail: nn.Module,
        optimiser: torch.optim.Optimizer,
        objective: Objective,
        source: FeatureSource,
        places: NDArray[np.int64],
        truth: Tensor,
        compute: Compute,
    ) -> None:
        self._tail, self._optimiser, self._objective = tail, optimiser, objective
        self._source, self._places, self._truth = source, places, truth
        self._compute = compute
        self.logits = torch.empty(0)

    def gradients(self, limit: int) -> None:
        self._optimiser.zero_grad(set_to_none=True)
        gathered = []
        for part in parts(len(self._places), limit):
            features = self._source.rows(self._places[part])
            with self._compute.autocast():
                logits = self._tail(features)
            loss = self._objective.total(logits.float(), self._truth[part]) / len(self._places)
            loss.backward()  # type: ignore[no-untyped-call]
            gathered.append(logits.detach().float())
        self.logits = torch.cat(gathered)


@torch.no_grad()
def predict(
    tail: nn.Module, source: FeatureSource, *, compute: Compute, fit: MemoryFit, chunk: int
) -> Tensor:
    """Logits (len(source), classes) in float32 on the CPU, in canonical chunks."""
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
                    whole.append(tail(source.rows(places[part])).float().cpu())

        fit.run(forward)
        gathered += whole
    return torch.cat(gathered)


def assess(logits: Tensor, labels: NDArray[np.int64], classes: int) -> Outcome:
    """Loss and confusion counts of ``logits`` (n, classes) against ``labels`` (n,)."""
    tally = _Tally(classes)
    tally.add(logits, torch.from_numpy(labels))
    return tally.outcome()


class _Tally:
    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._loss = 0.0
        self._counts = np.zeros((classes, classes), dtype=np.int64)

    def add(self, logits: Tensor, truth: Tensor) -> None:
        loss = nn.functional.cross_entropy(logits, truth, reduction="sum")
        self._loss += float(loss)
        predicted = logits.argmax(dim=1).cpu().numpy()
        self._counts += scores.confusion(truth.cpu().numpy(), predicted, self._classes)

    def outcome(self) -> Outcome:
        return Outcome(loss=self._loss / int(self._counts.sum()), counts=self._counts)
