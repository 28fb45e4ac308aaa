"""How much of the processor's matrix-product peak a training step reaches, on one thread.

    python -m benchmarks.training.peak [--precision float32 bfloat16] [--profile]

The step trains the tail on features that are there already, so that the prefix is not counted. The
peak is that of a product of two square matrices of the same precision, measured before each step.
``--profile`` prints where the time of a step goes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch.profiler import profile

from benchmarks.training.steps import STEPS, Stepping, make_run, operations, peak
from fer_tune.data import import_source

#: Backbone, crop size, unfreeze depth, batch size.
CASES = [
    (name, 48, depth, batch)
    for name in ("densenet161", "resnet152")
    for depth, batch in ((1, 32), (1, 64), (2, 32), (2, 64))
]
ROUNDS, SIDE = 3, 2048


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--precision", nargs="+", default=["float32"])
    options.add_argument("--profile", action="store_true")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        import_source("synthetic:200", Path(folder) / "faces")
        for precision in chosen.precision:
            for case in CASES:
                measure(Path(folder), *case, precision, profiled=chosen.profile)


def measure(
    folder: Path, name: str, crop: int, depth: int, batch: int, precision: str, *, profiled: bool
) -> None:
    """Measures one case and prints its line."""
    run = make_run(folder, crop, depth, batch, device="cpu", backbone=name, precision=precision)
    torch.set_num_threads(1)
    steps = Stepping(run, batch)
    work = operations(run, steps.features)
    steps()
    shares, seconds = [], []
    for _ in range(ROUNDS):
        best = peak(run, SIDE)
        began = time.perf_counter()
        steps()
        seconds.append((time.perf_counter() - began) / STEPS)
        shares.append(work / seconds[-1] / best)
    print(
        f"{precision}, {name}, {crop} px, depth {depth}, batch {batch}: "
        f"{1000 * statistics.median(seconds):.0f} ms a step, {work / 1e9:.1f} GFLOP, "
        f"{statistics.median(shares):.2f} of {best / 1e9:.0f} GFLOP/s",
        flush=True,
    )
    if profiled:
        with profile() as found:
            steps()
        print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=12))


if __name__ == "__main__":
    main()
