"""The steps of a GPU's trial, on the CPU with a memory that ends where a test says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fer_tune.cli.doctor import gpu_smoke as smoke
from fer_tune.cli.doctor.gpu_smoke import (
    NotShown,
    RunFactory,
    end_of_memory,
    mixed_precision,
    run_maker,
    smaller_batches,
)
from fer_tune.data import PackedDataset


class Largest(TorchDispatchMode):
    """Notes the largest tensor that is made, and makes none above ``most`` bytes."""

    def __init__(self, most: float = math.inf) -> None:
        super().__init__()
        self.most, self.seen = most, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                size = tensor.numel() * tensor.element_size()
                self.seen = max(self.seen, size)
                if size > self.most:
                    raise torch.OutOfMemoryError(f"{size} bytes asked for, {self.most} left")
        return made


class PretendMemory:
    """A memory as large as the largest tensor in it.

    Args:
        held: bytes that are used, whatever happens.
    """

    def __init__(self, held: int = 0) -> None:
        self.held = held
        self._watch: Largest | None = None

    def used(self) -> int:
        return self.held

    def forget_peak(self) -> None:
        self._watch = Largest()
        self._watch.__enter__()

    def peak(self) -> int:
        assert self._watch is not None
        self._watch.__exit__(None, None, None)
        return self._watch.seen

    @contextmanager
    def bounded(self, most: int) -> Iterator[None]:
        with Largest(most):
            yield


@pytest.fixture
def make(faces: PackedDataset, monkeypatch: pytest.MonkeyPatch) -> RunFactory:
    monkeypatch.setitem(smoke.SHAPE, "crop_size", 32)
    monkeypatch.setattr(smoke, "BATCH_SIZE", 64)
    return run_maker(faces, "cpu")


def test_both_precisions_train_alike(make: RunFactory) -> None:
    assert "in bfloat16" in mixed_precision(make)


def test_a_precision_that_trains_otherwise_is_reported(
    make: RunFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "LARGEST_DIFFERENCE", 0.0)
    with pytest.raises(NotShown, match="a difference larger than rounding explains"):
        mixed_precision(make)


def test_a_batch_that_does_not_fit_is_trained_in_parts(make: RunFactory) -> None:
    # The first layer makes 4 MiB out of 64 pictures; the largest weight takes 2.
    memory = PretendMemory(held=2 * 2**20)
    assert "MiB, batches of 64 ran in micro-batches of 32" in smaller_batches(make, memory)


def test_a_bound_that_bounds_nothing_is_reported(
    make: RunFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "SHARE_LEFT", 1.0)
    with pytest.raises(NotShown, match="still fitted"):
        smaller_batches(make, PretendMemory(held=2 * 2**20))


def test_the_end_of_memory_ends_the_run_alone(make: RunFactory) -> None:
    assert "the run ended as oom, and the next one trained" in end_of_memory(make, PretendMemory())


def test_memory_that_is_not_given_back_is_reported(make: RunFactory) -> None:
    class Leaking(PretendMemory):
        @contextmanager
        def bounded(self, most: int) -> Iterator[None]:
            with super().bounded(most):
                yield
            self.held = smoke.LEFT_OVER + 1

    with pytest.raises(NotShown, match="still held"):
        end_of_memory(make, Leaking())


def test_a_run_that_continues_without_memory_is_reported(make: RunFactory) -> None:
    class Endless(PretendMemory):
        @contextmanager
        def bounded(self, most: int) -> Iterator[None]:
            yield

    with pytest.raises(NotShown, match="instead of 'oom'"):
        end_of_memory(make, Endless())
