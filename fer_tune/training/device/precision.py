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
_PICTURES, _SIDE, _ROUNDS = 16, 48, 2
_DTYPES = (torch.float32, torch.bfloat16)

#: CPU seconds of a training step in a dtype.
Step = Callable[[torch.dtype], float]


@dataclass(frozen=True, kw_only=True)
class PrecisionChoice:
    """The precision of a search, and why.

    Attributes:
        seconds: CPU time of the measured steps in each precision; None if nothing was measured.
    """

    precision: Chosen
    reason: str
    seconds: dict[str, float] | None = None


def choose_precision(
    names: Sequence[str],
    *,
    device: str | None = None,
    claims: Callable[[torch.device], bool] = multiplies_bfloat16,
    step_of: Callable[[str], Step] | None = None,
) -> PrecisionChoice:
    """The faster precision for the backbones ``names`` on this machine.

    Args:
        device: as in :meth:`Compute.choose`.
        claims: whether a device claims to multiply bfloat16.
        step_of: the measured training step of a backbone.
    """
    chosen = Compute.choose("float32", device).device
    if not claims(chosen):
        return PrecisionChoice(precision="float32", reason="the processor has no bfloat16")
    if chosen.type != "cpu":
        return PrecisionChoice(precision="bfloat16", reason="the GPU multiplies it")
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # several would wait for one another where the machine is busy
    try:
        measured = [_fastest((step_of or training_step)(name)) for name in names]
    finally:
        torch.set_num_threads(before)
    seconds = {
        str(dtype).removeprefix("torch."): sum(one[dtype] for one in measured) for dtype in _DTYPES
    }
    gain = seconds["float32"] / seconds["bfloat16"]
    return PrecisionChoice(
        precision="bfloat16" if gain >= LEAST_GAIN else "float32",
        reason=f"a training step in bfloat16 is measured at {gain:.1f} times the speed of float32",
        seconds={name: round(value, 3) for name, value in seconds.items()},
    )


def _fastest(step: Step) -> dict[torch.dtype, float]:
    """Seconds of ``step`` in each dtype, the fastest of some rounds.

    The first one compiles kernels. The dtypes take turns, so that other work on the machine slows
    both down.
    """
    rounds = [{dtype: step(dtype) for dtype in _DTYPES} for _ in range(_ROUNDS)]
    return {dtype: min(taken[dtype] for taken in rounds) for dtype in _DTYPES}


def training_step(name: str) -> Step:
    """A training step of the whole backbone ``name`` on the CPU, which returns its CPU seconds."""
    network = backbone(name).empty_module().to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # drawing by torchvision's recipe takes seconds
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.dim() == 4:
                bound = (6 / tensor[0].numel()) ** 0.5
                tensor.uniform_(-bound, bound, generator=generator)
            else:
                tensor.fill_(1)
    network.train().to(memory_format=torch.channels_last)
    pictures = torch.rand(_PICTURES, 3, _SIDE, _SIDE, generator=generator)

    def step(dtype: torch.dtype) -> float:
        began = time.thread_time()  # whatever else runs, as the start of Ray does
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = network(pictures).float().logsumexp(dim=1).mean()
        loss.backward()
        taken = time.thread_time() - began
        network.zero_grad(set_to_none=True)
        return taken

    return step
