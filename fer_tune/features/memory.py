"""Running out of memory: retry with fewer pictures at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch

from fer_tune.features.out_of_memory import is_out_of_memory
from fer_tune.features.resident import clear_resident_features


class OutOfMemory(Exception):
    """Not even the smallest permitted number of pictures fits."""


class MemoryFit:
    """Remembers how many pictures fit at once, and halves that when memory runs out.

    Features that stay on the device are given up first.

    Args:
        limit: pictures that may be tried at once to begin with.
        least: the smallest number that is tried.
    """

    def __init__(self, limit: int, *, least: int = 1) -> None:
        self.limit = self._whole = limit
        self._least = least

    def restart(self) -> None:
        """Tries the whole number again: a neighbour that took the memory may have ended."""
        self.limit = self._whole

    def run(self, work: Callable[[int], None]) -> None:
        """Calls ``work(limit)`` until it fits; ``work`` starts over at every call.

        Raises:
            OutOfMemory: the smallest permitted number does not fit.
        """
        while True:
            try:
                work(self.limit)
                return
            except (RuntimeError, MemoryError, OSError) as error:
                if not is_out_of_memory(error):
                    raise
                freed = clear_resident_features()
                if self.limit <= self._least and not freed:
                    raise OutOfMemory(str(error)) from error
            # Outside the handler, where the traceback no longer holds the failed tensors.
            if not freed:
                self.limit = max((self.limit + 1) // 2, self._least)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def parts(count: int, limit: int) -> Iterator[slice]:
    """Slices that divide 0 .. count-1 into as few parts of at most ``limit`` as needed, equal."""
    edges = np.linspace(0, count, math.ceil(count / limit) + 1).round().astype(int)
    return (slice(int(a), int(b)) for a, b in itertools.pairwise(edges))
