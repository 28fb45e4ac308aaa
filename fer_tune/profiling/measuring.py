"""Memory, speed and busy share of one case, from a few steps of a real run."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.features.memory import OutOfMemory
from fer_tune.features.resident import clear_resident_features
from fer_tune.features.source import FeatureSource, chunk_size
from fer_tune.profiling.cases import Case
from fer_tune.profiling.proposal import Measured
from fer_tune.space import SearchSpace
from fer_tune.training.context import TrialContext
from fer_tune.training.device.compute import Compute, release_memory
from fer_tune.training.trial import RunSeeds, TrialRun

logger = logging.getLogger(__name__)

#: Steps before the clock starts: the first ones choose kernels and reserve memory.
WARM_UP = 3


class Meter(Protocol):
    """What a device shows of the work that it does."""

    memory: int  # bytes of the device

    def reset(self) -> None:
        """Forgets the peak so far."""
        ...

    def peak(self) -> int:
        """Most bytes that this process has held since the last reset."""
        ...

    def timed(self, work: Callable[[], object]) -> tuple[float, float]:
        """Runs ``work``: seconds until the device had finished, and its busy share, in (0, 1]."""
        ...


class CudaMeter:
    """A GPU: what PyTorch has reserved of it, and how long its kernels ran."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.memory = int(torch.cuda.get_device_properties(device).total_memory)

    def reset(self) -> None:
        torch.cuda.reset_peak_memory_stats(self._device)

    def peak(self) -> int:
        return int(torch.cuda.max_memory_reserved(self._device))

    def timed(self, work: Callable[[], object]) -> tuple[float, float]:
        torch.cuda.synchronize(self._device)
        began = time.perf_counter()
        work()
        torch.cuda.synchronize(self._device)
        seconds = time.perf_counter() - began
        # Again for the busy share: the profiler itself takes time.
        activity = torch.profiler.ProfilerActivity.CUDA
        with torch.profiler.profile(activities=[activity]) as profile:
            work()
            torch.cuda.synchronize(self._device)
        events: Any = profile.key_averages()
        kernels = sum(event.self_device_time_total for event in events) / 1e6
        return seconds, min(1.0, max(kernels / seconds, 1e-3))


class CpuMeter:
    """The processor: the memory of the process over its life, and its processor time.

    Args:
        threads: of a trial.
    """

    def __init__(self, memory: int, threads: int) -> None:
        self.memory, self._threads = memory, threads

    def reset(self) -> None:
        """The peak of a process cannot be reset everywhere, so it is over its life."""

    def peak(self) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # KiB on Linux

    def timed(self, work: Callable[[], object]) -> tuple[float, float]:
        began, before = time.perf_counter(), time.process_time()
        work()
        seconds = time.perf_counter() - began
        busy = (time.process_time() - before) / seconds / self._threads
        return seconds, min(1.0, max(busy, 1e-3))


class FixedRows:
    """A batch of features that is there already, as a warm bank would give it."""

    hit: bool | None = True

    def __init__(self, features: Tensor) -> None:
        self._features = features

    def __len__(self) -> int:
        return len(self._features)

    def rows(self, places: NDArray[np.int64]) -> Tensor:
        return self._features[: len(places)]


def measure(
    context: TrialContext, space: SearchSpace, case: Case, meter: Meter, *, steps: int
) -> Measured:
    """A few steps of a run of ``case``, on the whole device and without the bank.

    Args:
        steps: that are timed, of training and of the prefix.
    """
    clear_resident_features()
    release_memory()
    meter.reset()
    alone = replace(context, bank=None, gpu=1.0 if context.gpu else 0.0)
    seeds = RunSeeds(run=0, weights=context.weights_seed, views=context.view_seed)
    config = space.config(case.arm, case.shape)
    try:
        run = TrialRun(alone, config, seeds)
        run.prepare()
        if run.curve.out_of_memory:
            return Measured(case=case, error="no memory for the network")
        return _of_run(run, case, meter, steps)
    except (RuntimeError, MemoryError, OutOfMemory) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        logger.warning("%s: %s", case, first)
        return Measured(case=case, error=first)


def _of_run(run: TrialRun, case: Case, meter: Meter, steps: int) -> Measured:
    batch = np.arange(min(case.batch_size, len(run.split.train)))
    source = run.features.train.streamed(0)
    features = source.rows(batch)
    truth = torch.from_numpy(run.train_labels[batch]).to(run.compute.device)
    run.tail.train()
    rate, busy = _speed(meter, lambda: _step(run, FixedRows(features), batch, truth), batch, steps)
    prefix_rate = None
    if len(run.prefix):
        prefix_rate, _ = _speed(meter, lambda: _read(source, batch), batch, steps)
    _evaluate(run, source, case)
    return Measured(
        case=case,
        peak=meter.peak(),
        pictures_per_s=rate,
        prefix_per_s=prefix_rate,
        busy=busy,
        error=None if run.micro_batch >= len(batch) else "only micro-batches fit into memory",
    )


def _speed(
    meter: Meter, work: Callable[[], None], batch: NDArray[np.int64], steps: int
) -> tuple[float, float]:
    """Pictures per second, and the busy share."""
    for _ in range(WARM_UP):
        work()

    def repeated() -> None:
        for _ in range(steps):
            work()

    seconds, busy = meter.timed(repeated)
    return steps * len(batch) / seconds, busy


def _step(run: TrialRun, source: FeatureSource, batch: NDArray[np.int64], truth: Tensor) -> None:
    run.steps(source, batch, truth)


def _read(source: FeatureSource, batch: NDArray[np.int64]) -> None:
    source.rows(batch)


@torch.no_grad()
def _evaluate(run: TrialRun, source: FeatureSource, case: Case) -> None:
    """A chunk of features and its evaluation, for their memory."""
    chunk = np.arange(min(chunk_size(run.compute.device, case.crop_size), len(source)))
    run.tail.eval()
    with run.compute.autocast():
        run.tail(source.rows(chunk))


def meter_of(compute: Compute, *, memory: int, threads: int) -> Meter:
    """The meter of a device; ``memory`` is that of the machine, for the CPU."""
    if compute.device.type == "cuda":
        return CudaMeter(compute.device)
    return CpuMeter(memory, threads)
