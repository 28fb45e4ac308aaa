"""Which device a trial runs on, and in which precision."""

from __future__ import annotations

import gc
import os
import re
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")

Precision = Literal["auto", "bfloat16", "float32"]


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
        """Forgets the peak so far, where the system can."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            with suppress(OSError):
                _CLEAR_REFS.write_text("5")  # proc(5): resets the resident set's high-water mark

    def peak_memory_mib(self) -> float:
        """Peak memory since the last reset, in MiB: of the accelerator, else of the process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        with suppress(OSError):
            if found := re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text()):
                return int(found[1]) / 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def available_cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def release_memory() -> None:
    """Frees what a run that has been let go of still holds (networks are reference cycles)."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
