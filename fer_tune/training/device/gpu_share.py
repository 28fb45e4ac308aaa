"""The share of a GPU that a trial holds. Needs no torch: the variables are set before its import.

Ray counts shares but does not enforce them: without a limit one trial could take the memory of its
neighbours, which would then run out of memory with configurations that fit.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version

#: Memory that a process takes on a GPU beside its tensors: the CUDA context with the kernels it has
#: loaded, and the handles of cuBLAS and cuDNN. An empty context takes 300 to 450 MiB (RTX 6000 Ada,
#: CUDA 13: 426 MiB); it grows as kernels are loaded. PyTorch's allocator does not count it.
CONTEXT_BYTES = 700 * 2**20

#: Variables with settings of PyTorch's allocator; the first is the current one.
_VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")


@dataclass(frozen=True, kw_only=True)
class GpuShare:
    """A process's share of one GPU.

    Attributes:
        gpu: the share, ``resources.gpu``; from 1 on the process has a whole GPU.
        total: bytes of the GPU.
    """

    gpu: float
    total: int

    @property
    def limit(self) -> int:
        """Bytes that PyTorch's allocator may hold; negative if not even a context fits."""
        return self.total if self.gpu >= 1 else int(self.gpu * self.total) - CONTEXT_BYTES

    @property
    def fraction(self) -> float:
        """:attr:`limit` as a share of the GPU."""
        return self.limit / self.total

    def is_available(self, *, free: int, reserved: int) -> bool:
        """Whether this process could have used its whole share.

        Args:
            free: bytes of the GPU that no process holds.
            reserved: bytes that this process's allocator holds.
        """
        # No process can have all of a GPU: its own context takes some, and often a display too.
        needed = min(self.limit, self.total - 2 * CONTEXT_BYTES)
        return free + reserved >= needed


def use_expandable_segments() -> None:
    """Lets PyTorch's allocator grow its segments, which avoids most fragmentation.

    A limited process needs this more: what is fragmented counts against the limit. Effective
    before CUDA is initialised. Settings of the user's own are left alone.
    """
    if not any(os.environ.get(name) for name in _VARIABLES):
        # torch 2.9 ignores this setting in the variable that it recommends.
        older = version("torch").startswith("2.9.")
        os.environ[_VARIABLES[1] if older else _VARIABLES[0]] = "expandable_segments:True"
