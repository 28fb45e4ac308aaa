"""`fer-tune doctor --gpu`: what only an accelerator can show, shown on it in some minutes."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from fer_tune.data import PackedDataset, import_source
from fer_tune.errors import EnvironmentFault
from fer_tune.records import Results
from fer_tune.training.smoke import (
    CudaMemory,
    Memory,
    NotShown,
    end_of_memory,
    mixed_precision,
    run_maker,
    smaller_batches,
)

FACES = "synthetic:300"
#: Two trials share the accelerator.
GPU_SHARE = 0.5


def smoke(folder: Path | None, console: Console) -> int:
    """Runs every step on the first CUDA device.

    Args:
        folder: an empty or new one for dataset, results and report; a new one here by default.

    Returns:
        The exit code: 0 when every step showed what it should, else 1.

    Raises:
        EnvironmentFault: there is no GPU that torch can use, or ``folder`` is not empty.
    """
    import torch

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
    console.print(
        f"{properties.name}, {properties.total_memory / 2**30:.1f} GiB, "
        f"compute capability {properties.major}.{properties.minor}, "
        f"torch {torch.__version__} with CUDA {torch.version.cuda}",
        highlight=False,
    )
    return prove(folder, console, device="cuda", gpu=GPU_SHARE, memory=CudaMemory())


def prove(folder: Path, console: Console, *, device: str, gpu: float, memory: Memory) -> int:
    """Runs every step and tells what it showed; a step that fails does not keep the next from it.

    Args:
        gpu: share of an accelerator that each trial of the search holds; 0 for the CPU.

    Returns:
        The exit code: 0 when every step showed what it should, else 1.
    """
    began = time.monotonic()
    import_source(FACES, folder / "faces")
    dataset = PackedDataset.open(folder / "faces")
    make, results = run_maker(dataset, device), folder / "results"
    steps: dict[str, Callable[[], str]] = {
        "mixed precision": lambda: mixed_precision(make),
        "smaller batches": lambda: smaller_batches(make, memory),
        "end of memory": lambda: end_of_memory(make, memory),
        "search": lambda: _search(dataset, results, gpu),
        "sharing": lambda: _sharing(results, gpu),
        "report": lambda: _report(results),
    }
    shown = sum(_told(name, step, folder, console) for name, step in steps.items())
    seconds = time.monotonic() - began
    console.print(
        f"{shown} of {len(steps)} shown in {seconds:.0f} s; all of it is in {folder}",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if shown == len(steps) else 1


def _told(name: str, step: Callable[[], str], folder: Path, console: Console) -> bool:
    """Runs a step and prints its line; whether it showed what it should."""
    try:
        state, found = "shown", step()
    except NotShown as error:
        state, found = "FAILED", str(error)
    # A device, its driver and its libraries fail in ways of their own, and each is the finding.
    except Exception as error:
        file = folder / f"{name.replace(' ', '-')}.txt"
        file.write_text(traceback.format_exc(), encoding="utf-8")
        reason = (str(error) or type(error).__name__).splitlines()[0]
        state, found = "FAILED", f"{reason} ({file})"
    style = "green" if state == "shown" else "bold red"
    console.print(f"[{style}]{state:<6}[/]  {name:<16} ", end="", highlight=False)
    console.print(found, highlight=False, markup=False, soft_wrap=True)
    return state == "shown"


def _search(dataset: PackedDataset, folder: Path, gpu: float) -> str:
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.smoke import SEEDS, TRIALS, smoke_search

    trials = smoke_search(dataset, folder, gpu=gpu, options=SearchOptions()).read("trials")
    wanted = TRIALS + 2 * SEEDS
    complete = int((trials["state"] == "complete").sum())
    told = f"{complete} of {wanted} runs complete"
    if complete != wanted:
        raise NotShown(f"{told}; the tracebacks are in {folder / 'errors'}")
    return f"{told}, with up to {trials['peak_memory_mib'].max():.0f} MiB each"


def _sharing(folder: Path, gpu: float) -> str:
    from fer_tune.tuning.smoke import at_the_same_time

    seconds = at_the_same_time(Results.open(folder).read("trials"))
    where = f"with {gpu:g} of a GPU each" if gpu else "on the CPU"
    if seconds == 0.0:
        raise NotShown(f"no two runs trained at the same time {where}")
    return f"two runs trained at the same time {where}, for {seconds:.1f} s"


def _report(folder: Path) -> str:
    from analysis import write_report

    written = write_report([folder])
    return f"{written.html}"
