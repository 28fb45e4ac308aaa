"""Steps that are recorded and replayed, with a recorder that runs on the CPU."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_tune.features.memory import MemoryFit
from fer_tune.training.device.compute import Compute
from fer_tune.training.optimisation.epoch import Outcome, Schedule, batches, train_epoch
from fer_tune.training.optimisation.graphs import WARM_UP, GraphedSteps
from fer_tune.training.optimisation.objective import Objective
from fer_tune.training.optimisation.optimiser import learning_rate, portable_state
from fer_tune.training.optimisation.steps import EagerSteps

COUNT, WIDTH, CLASSES, BATCH = 49, 5, 3, 8  # batches of 7 and none of 8
T = TypeVar("T")


class CpuRecorder:
    """Runs at every replay what was recorded: it sees what lies in the recorded tensors then."""

    def __init__(self, fails: bool = False) -> None:
        self.recorded = self.replays = 0
        self._fails = fails

    def warm_up(self, work: Callable[[], T]) -> T:
        return work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        if self._fails:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        self.recorded += 1

        def replay() -> None:
            self.replays += 1
            work()

        return replay


class Rows:
    hit = None

    def __init__(self, count: int) -> None:
        self.features = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, places: Any) -> Tensor:
        return self.features[torch.from_numpy(places)]


class Training:
    """A tail in training, with or without recording."""

    def __init__(self, optimizer: str, recorder: CpuRecorder | None, count: int = COUNT) -> None:
        torch.manual_seed(0)
        self.tail = nn.Sequential(
            nn.Linear(WIDTH, 6, bias=False),
            nn.BatchNorm1d(6),
            nn.Dropout(0.3),
            nn.Linear(6, CLASSES),
        )
        groups = [
            {"params": part.parameters(), "lr": peak, "peak": peak, "part": name}
            for part, peak, name in ((self.tail[0], 0.1, "backbone"), (self.tail[3], 0.05, "head"))
        ]
        self.optimiser: torch.optim.Optimizer = (
            torch.optim.AdamW(groups, fused=True)
            if optimizer == "adamw"
            else torch.optim.SGD(groups, momentum=0.9, nesterov=True, fused=True)
        )
        self.fit = MemoryFit(BATCH)
        self.source = Rows(count)
        self.recorder = recorder
        self.renew()

    def renew(self) -> None:
        compute = Compute(device=torch.device("cpu"), dtype=torch.float32)
        objective = Objective(label_smoothing=0.1, class_weights=None)
        eager = EagerSteps(self.tail, self.optimiser, objective, compute, self.fit)
        self.steps = eager if self.recorder is None else GraphedSteps(eager, self.recorder)

    def epoch(self, number: int) -> Outcome:
        return train_epoch(
            self.tail,
            self.optimiser,
            self.steps,
            self.source,
            np.arange(len(self.source)) % CLASSES,
            classes=CLASSES,
            epoch=number,
            seed=3,
            batch_size=BATCH,
            schedule=Schedule(kind="cosine", max_epochs=4, warmup_epochs=0.5),
            device=torch.device("cpu"),
        )

    @property
    def tensors(self) -> list[Tensor]:
        return [tensor.clone() for tensor in self.tail.state_dict().values()]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("count", [49, 50, 61])  # one batch size, or two
def test_epochs_are_equal_to_eager_ones(optimizer: str, count: int) -> None:
    eager = Training(optimizer, None, count)
    graphed = Training(optimizer, CpuRecorder(), count)
    for number in (1, 2, 3):
        expected, found = eager.epoch(number), graphed.epoch(number)
        assert found.loss == pytest.approx(expected.loss, rel=1e-6)
        assert (found.counts == expected.counts).all()
        for part in ("head", "backbone"):
            rates = [learning_rate(training.optimiser, part) for training in (eager, graphed)]
            assert rates[0] == pytest.approx(rates[1], rel=1e-6)
    for one, other in zip(eager.tensors, graphed.tensors, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)
    assert graphed.recorder is not None
    steps = Counter(len(part) for part in batches(count, BATCH, 3, 1) for _ in range(3))
    replays = [number - WARM_UP for number in steps.values() if number > WARM_UP]
    assert graphed.recorder.recorded == len(replays)
    assert graphed.recorder.replays == sum(replays) > 0


def test_micro_batches_run_eagerly_and_whole_batches_are_replayed_again() -> None:
    graphed = Training("adamw", CpuRecorder())
    assert graphed.recorder is not None
    graphed.epoch(1)
    before = graphed.recorder.replays
    graphed.fit.limit = 4
    graphed.epoch(2)
    assert graphed.recorder.replays == before
    graphed.fit.limit = BATCH
    graphed.epoch(3)
    assert graphed.recorder.replays == before + 7


def test_what_cannot_be_recorded_runs_eagerly_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    eager, failing = Training("adamw", None), Training("adamw", CpuRecorder(fails=True))
    with caplog.at_level(logging.WARNING):
        for number in (1, 2):
            eager.epoch(number), failing.epoch(number)
    assert caplog.messages == [
        "training steps run without CUDA graphs: operation not permitted when stream is capturing"
    ]
    for one, other in zip(eager.tensors, failing.tensors, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("after", [True, False])
def test_a_checkpoint_goes_from_one_kind_of_steps_to_the_other(optimizer: str, after: bool) -> None:
    undisturbed = Training(optimizer, None)
    first = Training(optimizer, CpuRecorder() if after else None)
    undisturbed.epoch(1), first.epoch(1)
    state = deepcopy((first.tail.state_dict(), portable_state(first.optimiser)))
    assert all(type(group["lr"]) is float for group in state[1]["param_groups"])
    second = Training(optimizer, None if after else CpuRecorder())
    second.tail.load_state_dict(state[0])
    second.optimiser.load_state_dict(state[1])
    second.renew()
    for number in (2, 3):
        undisturbed.epoch(number), second.epoch(number)
    for one, other in zip(undisturbed.tensors, second.tensors, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)
