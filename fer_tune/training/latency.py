"""Latency of one picture, from pixels to probabilities."""

from __future__ import annotations

import time

import numpy as np
import torch

from fer_tune.training.trial import TrialRun

#: Seconds after which no further pass begins, once there are ``LEAST``: on a CPU that other runs
#: share, 30 passes through a large network took as long as an epoch.
LONGEST_S, LEAST = 1.0, 10


def measure_latency(run: TrialRun, repeats: int = 30, warmup: int = 3) -> dict[str, float]:
    """Seconds per single picture through prefix and tail, after ``warmup`` passes.

    Returns:
        ``p50_ms`` and ``p95_ms`` over at most ``repeats`` passes, and ``peak_memory_mib`` of the
        run.
    """
    run.tail.eval()
    picture = run.pictures(run.split.validation[:1], None).to(run.compute.device)
    taken: list[float] = []
    began = time.perf_counter()
    with torch.no_grad():
        for _ in range(warmup + repeats):
            started = time.perf_counter()
            if started - began > LONGEST_S and len(taken) >= warmup + LEAST:
                break
            with run.compute.autocast():
                run.tail(run.prefix(picture)).softmax(dim=1).cpu()
            taken.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.percentile(taken[warmup:], [50, 95])
    return {
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "peak_memory_mib": run.compute.peak_memory_mib(),
    }
