"""Which device a trial runs on, in which precision, and what to do when memory runs out."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

Precision = Literal["auto", "bfloat16", "float32"]


class OutOfMemory(Exception):
    """Not even one picture fits."""


@dataclass(frozen=True, kw_only=True)
class Compute:
    """A device with its arithmetic."""

    device: torch.device
    dtype: torch.dtype  # of the features and of autocast

    @classmethod
    def choose(cls, precision: Precision = "auto", device: str | None = None) -> Compute:
        """The accelerator where there is one; bfloat16 where the hardware multiplies it."""
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if precision == "auto":
            precision = "bfloat16" if _multiplies_bfloat16(chosen) else "float32"
        return cls(device=chosen, dtype=getattr(torch, precision))

    def autocast(self) -> torch.autocast:
        """A fresh autocast context; without effect in float32."""
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def reset_peak(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_memory_mib(self) -> float:
        """Peak memory in MiB: of the accelerator since the last reset, else of the process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on the accelerator or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text
    )


class MemoryFit:
    """Remembers how many pictures fit at once, and halves that when memory runs out.

    Args:
        limit: pictures that may be tried at once to begin with.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def run(self, work: Callable[[int], None]) -> None:
        """Calls ``work(limit)`` until it fits; ``work`` starts over at every call.

        Raises:
            OutOfMemory: one picture at a time does not fit.
        """
        while True:
            try:
                work(self.limit)
                return
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.limit <= 1:
                    raise OutOfMemory(str(error)) from error
            # Outside the handler, where the traceback no longer holds the failed tensors.
            self.limit = (self.limit + 1) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
