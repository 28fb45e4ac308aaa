"""What to do when memory runs out: try again with fewer pictures at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch

#: How libraries say it in a plain RuntimeError.
_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


class OutOfMemory(Exception):
    """Not even one picture fits."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on the accelerator or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


class MemoryFit:
    """Remembers how many pictures fit at once, and halves that when memory runs out.

    Args:
        limit: pictures that may be tried at once to begin with.
    """

    def __init__(self, limit: int) -> None:
        self.limit = self._whole = limit

    def run(self, work: Callable[[int], None]) -> None:
        """Calls ``work(limit)`` until it fits; ``work`` starts over at every call.

        Raises:
            OutOfMemory: one picture at a time does not fit.
        """
        while True:
            try:
                work(self.limit)
                return
            except (RuntimeError, MemoryError, ValueError) as error:
                # Batch norm on a 1×1 map cannot train on the one picture that memory left it.
                shrunk = self.limit < self._whole
                lonely = shrunk and "more than 1 value per channel" in str(error)
                if not (lonely or is_out_of_memory(error)):
                    raise
                if self.limit <= 1:
                    raise OutOfMemory(str(error)) from error
            # Outside the handler, where the traceback no longer holds the failed tensors.
            self.limit = (self.limit + 1) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def parts(count: int, limit: int) -> Iterator[slice]:
    """Slices that divide 0 .. count-1 into as few parts of at most ``limit`` as needed, equal."""
    edges = np.linspace(0, count, math.ceil(count / limit) + 1).round().astype(int)
    return (slice(int(a), int(b)) for a, b in itertools.pairwise(edges))
