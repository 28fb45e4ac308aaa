"""Latency of one picture, from pixels to probabilities."""

from __future__ import annotations

import time

import numpy as np
import torch

from fer_tune.training.trial import TrialRun


def measure_latency(run: TrialRun, repeats: int = 30, warmup: int = 3) -> dict[str, float]:
    """Seconds per single picture through prefix and tail, after ``warmup`` passes.

    Returns:
        ``p50_ms`` and ``p95_ms`` over ``repeats`` passes, and ``peak_memory_mib`` of the run.
    """
    run.tail.eval()
    picture = run.pictures(run.split.validation[:1], None).to(run.compute.device)
    taken = []
    with torch.no_grad():
        for _ in range(warmup + repeats):
            started = time.perf_counter()
            with run.compute.autocast():
                run.tail(run.prefix(picture)).softmax(dim=1).cpu()
            taken.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.percentile(taken[warmup:], [50, 95])
    return {
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "peak_memory_mib": run.compute.peak_memory_mib(),
    }
