"""An epoch leaves its figures on the device until it ends."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from fer_tune import scores
from fer_tune.features.memory import MemoryFit
from fer_tune.training.optimisation import epoch as module
from fer_tune.training.optimisation.epoch import Schedule, assess, predict, train_epoch
from fer_tune.training.optimisation.objective import Objective
from fer_tune.training.optimisation.steps import EagerSteps

COUNT, CLASSES, WIDTH = 50, 7, 8
META = torch.device("meta")


class Rows:
    """Features on the meta device, which has shapes and no values: reading one is an error."""

    hit = None

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return COUNT

    def rows(self, places: NDArray[np.int64]) -> torch.Tensor:
        self.asked += places.tolist()
        return torch.empty(len(places), WIDTH, device=META)


def on_meta() -> Any:
    return SimpleNamespace(device=META, autocast=lambda cached=True: nullcontext())


@pytest.mark.parametrize("weights", [None, torch.ones(CLASSES, device=META)])
@pytest.mark.parametrize("limit", [16, 5])
def test_no_step_reads_from_the_device(
    monkeypatch: pytest.MonkeyPatch, weights: torch.Tensor | None, limit: int
) -> None:
    assessed: list[tuple[torch.Size, torch.Size]] = []
    monkeypatch.setattr(
        module, "assess", lambda logits, labels, _: assessed.append((logits.shape, labels.shape))
    )
    tail, source, fit = nn.Linear(WIDTH, CLASSES, device=META), Rows(), MemoryFit(16)
    fit.limit = limit
    optimiser = torch.optim.SGD([{"params": tail.parameters(), "lr": 0.1, "peak": 0.1}])
    objective = Objective(label_smoothing=0.1, class_weights=weights)
    steps = EagerSteps(tail, optimiser, objective, on_meta(), fit)
    train_epoch(
        tail,
        optimiser,
        steps,
        source,
        np.arange(COUNT) % CLASSES,
        classes=CLASSES,
        epoch=1,
        seed=0,
        batch_size=16,
        schedule=Schedule(kind="cosine", max_epochs=2, warmup_epochs=0.5),
        device=META,
    )
    assert sorted(source.asked) == list(range(COUNT))
    assert assessed == [((COUNT, CLASSES), (COUNT,))]


def test_predictions_stay_on_the_device() -> None:
    tail, source = nn.Linear(WIDTH, CLASSES, device=META), Rows()
    logits = predict(tail, source, compute=on_meta(), fit=MemoryFit(16), chunk=16)
    assert logits.device == META and logits.shape == (COUNT, CLASSES)
    assert source.asked == list(range(COUNT))


@pytest.mark.parametrize("count", [1, 7, 40_000])
def test_assessed_are_the_mean_loss_and_the_confusion_counts(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    logits = 4 * torch.randn(count, CLASSES, generator=generator)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    found = assess(logits, labels, CLASSES)
    predicted = logits.argmax(dim=1).numpy()
    assert np.array_equal(found.counts, scores.confusion(labels.numpy(), predicted, CLASSES))
    assert found.counts.dtype == np.int64
    exact = nn.functional.cross_entropy(logits.double(), labels)
    assert found.loss == pytest.approx(float(exact), rel=1e-6)
    order = torch.randperm(count, generator=generator)
    again = assess(logits[order], labels[order], CLASSES)
    assert again.loss == pytest.approx(found.loss, rel=1e-14)
    assert np.array_equal(again.counts, found.counts)


def test_logits_that_are_not_finite_give_such_a_loss() -> None:
    logits = torch.zeros(3, CLASSES)
    logits[1, 2] = torch.nan
    found = assess(logits, torch.tensor([0, 1, 2]), CLASSES)
    assert np.isnan(found.loss) and found.counts.sum() == 3
