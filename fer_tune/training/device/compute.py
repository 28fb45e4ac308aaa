"""Which device a trial runs on, and in which precision."""

from __future__ import annotations

import gc
import re
import resource
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from fer_tune.errors import EnvironmentFault
from fer_tune.features.out_of_memory import is_out_of_memory
from fer_tune.training.context import Precision
from fer_tune.training.device.gpu_share import CONTEXT_BYTES, GpuShare

_CLEAR_REFS, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """A device with its arithmetic.

    Attributes:
        dtype: of the features and of autocast.
        share: of the GPU that this process is limited to; None without a limit.
    """

    device: torch.device
    dtype: torch.dtype
    share: GpuShare | None = None

    @classmethod
    def choose(
        cls, precision: Precision = "auto", device: str | None = None, gpu: float = 0.0
    ) -> Compute:
        """The accelerator where there is one; bfloat16 where the hardware multiplies it.

        Args:
            gpu: the share of a GPU that this process holds and is limited to; 0 for none.

        Raises:
            EnvironmentFault: ``gpu`` is above 0, and there is no GPU that torch can use.
        """
        share = hold_share(gpu) if gpu > 0 else None
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if precision == "auto":
            precision = "bfloat16" if multiplies_bfloat16(chosen) else "float32"
        return cls(device=chosen, dtype=getattr(torch, precision), share=share)

    def autocast(self, *, cached: bool = True) -> torch.autocast:
        """A fresh autocast context; without effect in float32.

        Args:
            cached: keep converted weights until the context ends, which a recorded graph must not.
        """
        enabled = self.dtype != torch.float32
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=cached
        )

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

    def peak_reserved_mib(self) -> float | None:
        """Most MiB that the accelerator's allocator held since the last reset; else None.

        That is what neighbours on the same card cannot have: tensors, cached blocks and what is
        lost to fragmentation.
        """
        if self.device.type != "cuda":
            return None
        return torch.cuda.max_memory_reserved(self.device) / 2**20

    def has_share(self) -> bool | None:
        """Whether this process could have used its whole share now; None without a share."""
        if self.share is None:
            return None
        try:
            free, _ = torch.cuda.mem_get_info(self.device)
        except RuntimeError:
            return False  # a device that cannot be asked shows nothing about the trial
        reserved = torch.cuda.memory_reserved(self.device)
        return self.share.is_available(free=free, reserved=reserved)

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def hold_share(gpu: float) -> GpuShare:
    """Limits this process to the share ``gpu`` of its GPU.

    Raises:
        EnvironmentFault: there is no GPU that torch can use, or the share is too small.
        RuntimeError: no memory is left on the GPU, not even for a CUDA context.
    """
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
        torch.zeros(1, device="cuda")  # a driver may list a GPU on which nothing runs
        total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    # AssertionError: of builds without CUDA.
    except (RuntimeError, AssertionError) as error:
        if is_out_of_memory(error):
            raise  # a neighbour has it all
        raise EnvironmentFault(
            f"no GPU that torch can use: {_first_line(error)}",
            where=f"resources.gpu on {socket.gethostname()}",
            value=gpu,
            remedy="`fer-tune doctor` on that machine says what is missing; "
            "--set resources.gpu=0 trains on the CPU",
        ) from error
    share = GpuShare(gpu=gpu, total=total)
    if share.limit <= 0:
        raise EnvironmentFault(
            f"the share of this GPU of {total / 2**30:.1f} GiB must be larger than a CUDA context "
            f"({CONTEXT_BYTES / 2**30:.1f} GiB)",
            where=f"resources.gpu on {socket.gethostname()}",
            value=gpu,
            remedy="Set a larger share",
        )
    # A whole card too: the process may have held a share before.
    torch.cuda.set_per_process_memory_fraction(share.fraction)
    return share


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware claims it; ``precision.py`` measures whether it is faster."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def release_memory() -> None:
    """Frees the memory of deleted runs (networks are reference cycles)."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
