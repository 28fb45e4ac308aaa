"""`fer-tune doctor --gpu`: tests what only an accelerator can show, in a few minutes.

Whether training works in mixed precision and when memory runs out, and whether a tiny search runs
with two trials sharing the accelerator.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
from rich.console import Console

from fer_tune.cli.doctor.gpu_sharing import NotShown as NotShown
from fer_tune.cli.doctor.gpu_sharing import context_bytes, kept_to_share
from fer_tune.console import say, styled
from fer_tune.data import PackedDataset, import_source
from fer_tune.errors import EnvironmentFault
from fer_tune.records import Results
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.training.context import Precision
from fer_tune.training.device.compute import release_memory
from fer_tune.training.device.gpu_share import GpuShare
from fer_tune.training.learning_curve import EpochReport
from fer_tune.training.trial import RunSeeds, TrialRun
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.run import run_search
from fer_tune.tuning.settings import trial_context

FACES = "synthetic:300"
#: Two trials share the accelerator.
GPU_SHARE = 0.5
#: Trials of the tiny search, and confirmation seeds of each of its two arms.
TRIALS, SEEDS = 4, 2
EPOCHS = 4
#: Few weights and many activations, so that smaller batches help.
SHAPE: dict[str, Any] = {"backbone": "densenet121", "unfreeze_depth": 5, "crop_size": 64}
BATCH_SIZE = 128
#: Share of the memory that a whole batch takes beyond the network that is left for the next run.
SHARE_LEFT = 0.5
#: Between the training losses of one epoch in both precisions. Both are means over the same
#: pictures from the same start, so they differ only by rounding.
LARGEST_DIFFERENCE = 0.1
#: What a run may leave behind: the libraries' own working space, made at its first step.
LEFT_OVER = 64 * 2**20


def smoke(folder: Path | None, console: Console) -> int:
    """Runs every step on the first CUDA device.

    Args:
        folder: an empty or new one for dataset, results and report; a new one here by default.

    Returns:
        The exit code: 0 when every step passed, else 1.

    Raises:
        EnvironmentFault: there is no GPU that torch can use, or ``folder`` is not empty.
    """
    if not torch.cuda.is_available():
        raise EnvironmentFault(
            "no GPU that torch can use",
            where="doctor --gpu",
            remedy="`fer-tune doctor` says what is missing",
        )
    folder = folder or Path(f"gpu-smoke-{time.strftime('%Y%m%d-%H%M%S')}")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise EnvironmentFault(
            "the folder is not empty", where=str(folder), remedy="Name a new one with --out"
        )
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    say(
        console,
        f"{properties.name}, {properties.total_memory / 2**30:.1f} GiB, "
        f"compute capability {properties.major}.{properties.minor}, "
        f"torch {torch.__version__} with CUDA {torch.version.cuda}",
    )
    return prove(folder, console, device="cuda", gpu=GPU_SHARE, memory=CudaMemory())


def prove(folder: Path, console: Console, *, device: str, gpu: float, memory: Memory) -> int:
    """Runs every step and prints the result; a failed step does not stop the next ones.

    Args:
        gpu: share of an accelerator that each trial of the search holds; 0 for the CPU.

    Returns:
        The exit code: 0 when every step passed, else 1.
    """
    began = time.monotonic()
    import_source(FACES, folder / "faces")
    dataset = PackedDataset.open(folder / "faces")
    make, results = run_maker(dataset, device), folder / "results"
    steps: dict[str, Callable[[], str]] = {
        "mixed precision": lambda: mixed_precision(make),
        "smaller batches": lambda: smaller_batches(make, memory),
        "out of memory": lambda: end_of_memory(make, memory),
        "search": lambda: _search(dataset, results, gpu),
        "sharing": lambda: _sharing(results, gpu),
        "report": lambda: _report(results),
    }
    shown = sum(_run_step(name, step, folder, console) for name, step in steps.items())
    seconds = time.monotonic() - began
    say(console, f"{shown} of {len(steps)} passed in {seconds:.0f} s; all files are in {folder}")
    return 0 if shown == len(steps) else 1


def _run_step(name: str, step: Callable[[], str], folder: Path, console: Console) -> bool:
    """Runs a step and prints its line; returns whether it passed."""
    try:
        state, found = "passed", step()
    except NotShown as error:
        state, found = "FAILED", str(error)
    # A device, its driver and its libraries fail in ways of their own, and each is the finding.
    except Exception as error:
        file = folder / f"{name.replace(' ', '-')}.txt"
        file.write_text(traceback.format_exc(), encoding="utf-8")
        reason = (str(error) or type(error).__name__).splitlines()[0]
        state, found = "FAILED", f"{reason} ({file})"
    style = "green" if state == "passed" else "bold red"
    say(console, styled((f"{state:<6}", style), f"  {name:<16} {found}"))
    return state == "passed"


class Memory(Protocol):
    """The memory of a device, in bytes."""

    def used(self) -> int:
        """Memory held by tensors now."""
        ...

    def forget_peak(self) -> None: ...

    def peak(self) -> int:
        """The most that was held since :meth:`forget_peak`."""
        ...

    def bounded(self, most: int) -> AbstractContextManager[None]:
        """Inside, allocating more than ``most`` in total runs out of memory."""
        ...


class CudaMemory:
    """The memory of the current CUDA device, as PyTorch's allocator counts it."""

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


RunFactory = Callable[[Precision], TrialRun]


def run_maker(dataset: PackedDataset, device: str) -> RunFactory:
    """Makes runs of one epoch on ``dataset``, all from the same start, in a given precision."""
    context = trial_context(smoke_space(0), dataset, SearchOptions(), Path())
    context = replace(context, validation_share=0.2, max_epochs=1, bank=None, device=device)
    config = TrialConfig(**SHAPE, batch_size=BATCH_SIZE)

    def make(precision: Precision) -> TrialRun:
        seeds = RunSeeds(run=0, weights=0, views=0)
        return TrialRun(replace(context, precision=precision), config, seeds)

    return make


def mixed_precision(make: RunFactory) -> str:
    """Trains one epoch in float32 and one in bfloat16 from the same start.

    Raises:
        NotShown: a loss is not finite, or they differ by more than rounding explains.
    """
    _trained(make("float32"))  # the first epoch on a device includes loading its libraries
    whole, half = (_trained(make(precision)) for precision in ("float32", "bfloat16"))
    losses = f"training loss {half.train_loss:.3f} in bfloat16, {whole.train_loss:.3f} in float32"
    if not (abs(half.train_loss - whole.train_loss) <= LARGEST_DIFFERENCE):
        raise NotShown(f"{losses}: a difference larger than rounding explains")
    return f"{losses}; {half.images_per_s / whole.images_per_s:.1f} times the pictures per second"


def smaller_batches(make: RunFactory, memory: Memory) -> str:
    """Limits memory so that a whole batch no longer fits, and trains nevertheless.

    Raises:
        NotShown: the run ended, or never ran out of memory, so the limit had no effect.
    """
    most = _halfway(make, memory)
    run = make("float32")
    run.prepare()
    with memory.bounded(most):
        report = run.run_epoch()
    tried = run.micro_batch
    if report is None:
        raise NotShown(
            f"the run ended with {most / 2**20:.0f} MiB instead of continuing with micro-batches"
        )
    if tried >= BATCH_SIZE:
        raise NotShown(f"with {most / 2**20:.0f} MiB the batch of {BATCH_SIZE} still fitted")
    if not math.isfinite(report.train_loss):
        raise NotShown(f"with micro-batches of {tried}, the loss is {report.train_loss}")
    return f"with {most / 2**20:.0f} MiB, batches of {BATCH_SIZE} ran in micro-batches of {tried}"


def end_of_memory(make: RunFactory, memory: Memory) -> str:
    """Limits memory so that nothing fits: the run ends as ``oom`` and frees its memory.

    Raises:
        NotShown: it continued, or memory is still held afterwards.
    """
    release_memory()
    before = memory.used()
    run = make("float32")
    with memory.bounded(before + 2**20):
        run.run_epoch()
    reason = run.curve.stop_reason()
    del run
    release_memory()
    left = memory.used() - before
    if reason != "oom":
        raise NotShown(f"the run ended as {reason!r} instead of 'oom'")
    if left > LEFT_OVER:
        raise NotShown(f"{left / 2**20:.0f} MiB are still held after the run has ended")
    after = _trained(make("float32"))
    return f"the run ended as oom, and the next one trained (loss {after.train_loss:.3f})"


def _halfway(make: RunFactory, memory: Memory) -> int:
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
            "budget": {"trials": TRIALS, "max_epochs": EPOCHS},
            "scheduler": {"kind": "none"},
            "stopper": {"enabled": False},
            "resources": {"cpu": 1, "gpu": gpu, "max_concurrent": 2},
            "weights": "none",
            "confirm": {"seeds": SEEDS},
        }
    )


def _search(dataset: PackedDataset, folder: Path, gpu: float) -> str:
    options = SearchOptions(cpus=2, bank=folder.parent / "bank", dashboard=False)
    results = run_search(smoke_space(gpu), dataset, folder, options, Console(quiet=True))
    trials = results.read("trials")
    wanted = TRIALS + 2 * SEEDS
    complete = int((trials["state"] == "complete").sum())
    shown = f"{complete} of {wanted} runs complete"
    if complete != wanted:
        raise NotShown(f"{shown}; the tracebacks are in {folder / 'errors'}")
    return f"{shown}, with up to {trials['peak_memory_mib'].max():.0f} MiB each"


def _sharing(folder: Path, gpu: float) -> str:
    trials = Results.open(folder).read("trials")
    seconds = at_the_same_time(trials)
    where = f"with {gpu:g} of a GPU each" if gpu else "on the CPU"
    if seconds == 0.0:
        raise NotShown(f"no two runs trained at the same time {where}")
    shown = f"two runs trained at the same time {where}, for {seconds:.1f} s"
    if not gpu:
        return shown
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    share = GpuShare(gpu=gpu, total=total)
    return f"{shown}; {kept_to_share(trials, share, context_bytes())}"


def at_the_same_time(trials: pd.DataFrame) -> float:
    """The most seconds that two runs of ``trials`` trained at the same time; 0 if never."""
    spans = sorted(zip(trials["started"], trials["started"] + trials["seconds"], strict=True))
    overlaps = [
        min(end, other_end) - other_start
        for number, (_, end) in enumerate(spans)
        for other_start, other_end in spans[number + 1 :]
    ]
    return max([0.0, *map(float, overlaps)])


def _report(folder: Path) -> str:
    from analysis import write_report

    written = write_report([folder])
    return f"{written.html}"
