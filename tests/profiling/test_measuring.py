"""Measures of real runs, with a device that has a clock and a memory of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fer_tune.data import PackedDataset
from fer_tune.profiling.cases import Case
from fer_tune.profiling.measuring import WARM_UP, CpuMeter, measure
from fer_tune.space import SearchSpace
from fer_tune.training.context import TrialContext
from fer_tune.training.optimisation.steps import EagerSteps
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.settings import trial_context

GIB = 2**30
STEPS = 2
SPACE = {
    "name": "profiled",
    "purpose": "A test.",
    "compare": {"arms": ["resnet18"]},
    "parameters": {"crop_size": 32, "batch_size": 16},
    "budget": {"trials": 1, "max_epochs": 1},
    "scheduler": {"kind": "none"},
    "stopper": {"enabled": False},
    "weights": "none",
    "precision": "float32",
}


class FakeMeter:
    """Every timed block takes a second, for a quarter of which the device is busy."""

    memory = 24 * GIB

    def __init__(self) -> None:
        self.resets = self.timed_blocks = 0

    def reset(self) -> None:
        self.resets += 1

    def peak(self) -> int:
        return 3 * GIB

    def timed(self, work: Callable[[], object]) -> tuple[float, float]:
        work()
        self.timed_blocks += 1
        return 1.0, 0.25


@pytest.fixture
def context(faces: PackedDataset, tmp_path: Path) -> TrialContext:
    made = trial_context(space(), faces, SearchOptions(), tmp_path / "bank")
    return replace(made, validation_share=0.25)


def space() -> SearchSpace:
    return SearchSpace.from_dict(SPACE)


def case(depth: int) -> Case:
    return Case(arm="resnet18", crop_size=32, unfreeze_depth=depth, batch_size=16)


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_steps_are_timed_apart_from_the_prefix_and_nothing_is_kept(
    context: TrialContext, depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    step = EagerSteps.__call__
    monkeypatch.setattr(EagerSteps, "__call__", lambda *given: taken.append(1) or step(*given))
    meter = FakeMeter()
    found = measure(context, space(), case(depth), meter, steps=STEPS)
    assert found.error is None and found.peak == 3 * GIB and found.busy == 0.25
    assert len(taken) == WARM_UP + STEPS
    assert found.pictures_per_s == STEPS * 16
    # At depth 5 the tail begins at the pictures, and there is no prefix.
    assert found.prefix_per_s == (None if depth == 5 else STEPS * 16)
    assert meter.resets == 1 and meter.timed_blocks == (1 if depth == 5 else 2)
    assert not (tmp_path / "bank").exists()


@pytest.mark.parametrize(
    ("message", "reported"),
    [
        ("CUDA error: out of memory", "no memory for the network"),
        ("a kernel failed\nCompile with `TORCH_USE_CUDA_DSA`", "a kernel failed"),
    ],
)
def test_a_case_that_fails_is_reported_and_the_next_is_measured(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch, message: str, reported: str
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise RuntimeError(message)

    with monkeypatch.context() as patched:
        patched.setattr("fer_tune.training.trial.build", fail)
        assert measure(context, space(), case(1), FakeMeter(), steps=1).error == reported
    assert measure(context, space(), case(1), FakeMeter(), steps=1).error is None


def test_the_cpu_has_a_meter(context: TrialContext) -> None:
    found = measure(context, space(), case(1), CpuMeter(8 * GIB, 1), steps=1)
    assert found.error is None
    assert 50 * 2**20 < found.peak < 64 * GIB
    assert 0 < found.busy <= 1 and found.pictures_per_s > 0


@pytest.mark.parametrize("where", ["steps", "prefix"])
def test_a_case_too_large_for_the_device_is_reported(
    context: TrialContext, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*given: object, **named: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    if where == "steps":
        monkeypatch.setattr(EagerSteps, "backward", full)
    else:
        monkeypatch.setattr("fer_tune.features.prefix.FrozenPrefix.run", full)
    found = measure(context, space(), case(1), FakeMeter(), steps=1)
    assert found.error == "CUDA out of memory"
