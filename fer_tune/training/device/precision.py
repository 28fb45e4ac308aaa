"""Which precision is faster on this machine: measured where the processor claims bfloat16.

Some processors claim bfloat16 and multiply it two to three times more slowly than float32, others
two to five times faster, so the claim alone decides nothing on a CPU. Every GPU that multiplies
bfloat16 does it faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from fer_tune.models.registry import backbone
from fer_tune.training.device.compute import Compute, multiplies_bfloat16

Chosen = Literal["bfloat16", "float32"]

#: bfloat16 is less exact, so it must be at least this many times as fast.
LEAST_GAIN = 1.1
_PICTURES, _SIDE, _STEPS = 8, 64, 2


@dataclass(frozen=True, kw_only=True)
class PrecisionChoice:
    """The precision of a search, and why.

    Attributes:
        seconds: of the measured steps in each precision; None where nothing was measured.
    """

    precision: Chosen
    reason: str
    seconds: dict[str, float] | None = None


def choose_precision(
    names: Sequence[str],
    *,
    threads: int,
    device: str | None = None,
    claims: Callable[[torch.device], bool] = multiplies_bfloat16,
    measure: Callable[[str, torch.dtype], float] | None = None,
) -> PrecisionChoice:
    """The faster precision for the backbones ``names`` on this machine.

    Args:
        threads: CPU threads of a trial.
        device: as in :meth:`Compute.choose`.
        claims: whether a device claims to multiply bfloat16.
        measure: seconds of a training step by backbone and dtype.
    """
    chosen = Compute.choose("float32", device).device
    if not claims(chosen):
        return PrecisionChoice(precision="float32", reason="the processor has no bfloat16")
    if chosen.type != "cpu":
        return PrecisionChoice(precision="bfloat16", reason="the GPU multiplies it")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        seconds = {
            str(dtype).removeprefix("torch."): sum(
                (measure or step_seconds)(name, dtype) for name in names
            )
            for dtype in (torch.float32, torch.bfloat16)
        }
    finally:
        torch.set_num_threads(before)
    gain = seconds["float32"] / seconds["bfloat16"]
    return PrecisionChoice(
        precision="bfloat16" if gain >= LEAST_GAIN else "float32",
        reason=f"a training step in bfloat16 is measured at {gain:.1f} times the speed of float32",
        seconds={name: round(value, 3) for name, value in seconds.items()},
    )


def step_seconds(name: str, dtype: torch.dtype) -> float:
    """Seconds of a training step of the whole backbone on the CPU, the fastest of some."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = backbone(name).module().train().to(memory_format=torch.channels_last)
        pictures = torch.rand(_PICTURES, 3, _SIDE, _SIDE)
    taken = []
    for _ in range(1 + _STEPS):  # the first one also compiles kernels
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = network(pictures).float().logsumexp(dim=1).mean()
        loss.backward()
        taken.append(time.perf_counter() - began)
    return min(taken[1:])
