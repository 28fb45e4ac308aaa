"""Whether training works on this accelerator: mixed precision, and the way out when memory ends.

What only the hardware can show, shown on it within a minute. ``fer_tune.cli.smoke`` runs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch

from fer_tune.data import PackedDataset
from fer_tune.space import TrialConfig
from fer_tune.training.compute import Precision, release_memory
from fer_tune.training.context import TrialContext
from fer_tune.training.course import EpochReport
from fer_tune.training.trial import RunSeeds, TrialRun

#: Few weights and many activations, so that smaller batches help.
SHAPE: dict[str, Any] = {"backbone": "densenet121", "unfreeze_depth": 5, "crop_size": 64}
BATCH_SIZE = 128
#: Of the memory that a whole batch takes beyond the network, what is left for the next try.
SHARE_LEFT = 0.5
#: Between the training losses of one epoch in both precisions. Both are means over the same
#: pictures from the same start, so what parts them is rounding.
LARGEST_DIFFERENCE = 0.1
#: What a run may leave behind: the libraries' own working space, made at its first step.
LEFT_OVER = 64 * 2**20


class NotShown(Exception):
    """A step ran and did not show what it should; the text says what was seen instead."""


class Memory(Protocol):
    """The memory of a device, in bytes."""

    def used(self) -> int:
        """What tensors hold now."""
        ...

    def forget_peak(self) -> None: ...

    def peak(self) -> int:
        """The most that was held since :meth:`forget_peak`."""
        ...

    def bounded(self, most: int) -> AbstractContextManager[None]:
        """While it lasts, whoever would hold more than ``most`` runs out of memory."""
        ...


class CudaMemory:
    """The memory of the current CUDA device, as PyTorch's allocator has it."""

    def used(self) -> int:
        return torch.cuda.memory_allocated()

    def forget_peak(self) -> None:
        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> int:
        return torch.cuda.max_memory_allocated()

    @contextmanager
    def bounded(self, most: int) -> Iterator[None]:
        whole = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        torch.cuda.empty_cache()  # what the allocator keeps counts as held
        torch.cuda.set_per_process_memory_fraction(min(1.0, most / whole))
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)


MakeRun = Callable[[Precision], TrialRun]


def run_maker(dataset: PackedDataset, device: str) -> MakeRun:
    """Makes runs of one epoch on ``dataset``, all from the same start, in a given precision."""

    def make(precision: Precision) -> TrialRun:
        context = TrialContext(
            dataset=str(dataset.root.resolve()),
            fingerprint=dataset.fingerprint,
            validation_share=0.2,
            split_seed=0,
            leaks="drop",
            conflicts="drop",
            weights="none",
            weights_seed=0,
            view_seed=0,
            views=1,
            resize_ratio=1.14,
            precision=precision,
            max_epochs=1,
            metric="macro_f1",
            patience=None,
            window=1,
            bank=None,
            bank_bytes=None,
            threads=1,
            device=device,
        )
        config = TrialConfig(**SHAPE, batch_size=BATCH_SIZE)
        return TrialRun(context, config, RunSeeds(run=0, weights=0, views=0))

    return make


def mixed_precision(make: MakeRun) -> str:
    """Trains one epoch in float32 and one in bfloat16 from the same start.

    Raises:
        NotShown: a loss is no number, or they are further apart than rounding explains.
    """
    _trained(make("float32"))  # the first epoch on a device pays for its libraries
    whole, half = (_trained(make(precision)) for precision in ("float32", "bfloat16"))
    told = f"training loss {half.train_loss:.3f} in bfloat16, {whole.train_loss:.3f} in float32"
    if not (abs(half.train_loss - whole.train_loss) <= LARGEST_DIFFERENCE):
        raise NotShown(f"{told}: not the same but for rounding")
    return f"{told}; {half.images_per_s / whole.images_per_s:.1f} times the pictures per second"


def smaller_batches(make: MakeRun, memory: Memory) -> str:
    """Bounds memory so that a whole batch no longer fits, and trains all the same.

    Raises:
        NotShown: the run ended, or never ran out of memory, so the bound showed nothing.
    """
    most = _halfway(make, memory)
    run = make("float32")
    run.prepare()
    with memory.bounded(most):
        report = run.run_epoch()
    tried = run.micro_batch
    if report is None:
        raise NotShown(f"the run gave up with {most / 2**20:.0f} MiB instead of going on in parts")
    if tried >= BATCH_SIZE:
        raise NotShown(f"with {most / 2**20:.0f} MiB the batch of {BATCH_SIZE} still fitted")
    if not math.isfinite(report.train_loss):
        raise NotShown(f"trained in parts of {tried}, the loss is {report.train_loss}")
    return f"with {most / 2**20:.0f} MiB, batches of {BATCH_SIZE} were trained in parts of {tried}"


def end_of_memory(make: MakeRun, memory: Memory) -> str:
    """Bounds memory so that nothing fits: the run ends as ``oom``, and leaves nothing behind.

    Raises:
        NotShown: it went on, or memory is still held after it.
    """
    release_memory()
    before = memory.used()
    run = make("float32")
    with memory.bounded(before + 2**20):
        run.run_epoch()
    reason = run.course.stop_reason()
    del run
    release_memory()
    left = memory.used() - before
    if reason != "oom":
        raise NotShown(f"the run ended as {reason!r} instead of 'oom'")
    if left > LEFT_OVER:
        raise NotShown(f"{left / 2**20:.0f} MiB are still held after the run has ended")
    after = _trained(make("float32"))
    return f"the run ended as oom, and the next one trained (loss {after.train_loss:.3f})"


def _halfway(make: MakeRun, memory: Memory) -> int:
    """Bytes between those that the network takes at rest and those that a whole batch takes."""
    release_memory()
    run = make("float32")
    run.prepare()
    at_rest = memory.used()
    memory.forget_peak()
    _trained(run)
    peak = memory.peak()
    del run
    release_memory()
    return at_rest + int((peak - at_rest) * SHARE_LEFT)


def _trained(run: TrialRun) -> EpochReport:
    report = run.run_epoch()
    if report is None:
        raise NotShown("memory ran out in a run that should fit on any device")
    if not math.isfinite(report.train_loss):
        raise NotShown(f"the training loss is {report.train_loss}")
    return report
