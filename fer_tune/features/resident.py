"""Features that stay in an accelerator's memory, across the epochs and trials of a process.

Copying rows to the device takes longer than training on them where a tail is small. On the CPU
there is nothing to gain: the system keeps what was read in its page cache, and gathering rows from
a memory map is as fast as from an array.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import torch
from torch import Tensor

#: Of the device's memory, for each process: eight trials that share a device take a quarter.
_SHARE = 1 / 32
_MOST_BYTES = 2 * 1024**3


class ResidentFeatures:
    """Whole views by key, of at most ``limit`` bytes; the least recently used go first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._views: OrderedDict[str, Tensor] = OrderedDict()

    def get(self, key: str) -> Tensor | None:
        found = self._views.get(key)
        if found is not None:
            self._views.move_to_end(key)
        return found

    def put(self, key: str, view: Tensor) -> None:
        """Keeps a view, unless it exceeds the limit by itself."""
        if view.nbytes > self.limit:
            return
        self._views[key] = view
        self._views.move_to_end(key)
        while sum(one.nbytes for one in self._views.values()) > self.limit:
            self._views.popitem(last=False)

    def clear(self) -> bool:
        """Forgets all views, as when memory runs out; whether there were any."""
        had_any = bool(self._views)
        self._views.clear()
        return had_any


@cache
def resident_features(device: torch.device) -> ResidentFeatures | None:
    """This process's resident features on ``device``; None on the CPU."""
    if device.type != "cuda":
        return None
    total = torch.cuda.get_device_properties(device).total_memory
    made = ResidentFeatures(min(_MOST_BYTES, int(total * _SHARE)))
    _all.append(made)
    return made


_all: list[ResidentFeatures] = []


def clear_resident_features() -> bool:
    """Forgets the views of this process on all devices; whether there were any."""
    return any([one.clear() for one in _all])
