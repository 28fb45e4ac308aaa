"""Random numbers addressed by a counter, not drawn in sequence.

Number *k* of picture *i* in view *v* is a hash of (seed, policy, v, i, k), so that any picture's
view can be made alone, in any order, on any worker, and comes out the same. So can its wrong
label, of (seed, i) alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014, figure 16)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def stream(*parts: int | str) -> int:
    """A 64-bit stream number for everything that is the same for all pictures."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def uniforms(stream_number: int, counters: NDArray[np.int64], columns: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), shape (len(counters), columns).

    Row *r* depends on ``stream_number`` and ``counters[r]`` alone, column *k* also on *k* alone:
    more columns do not change earlier ones.
    """
    base = _mix(counters.astype(np.uint64) * _GOLDEN + np.uint64(stream_number))
    steps = (np.arange(1, columns + 1, dtype=np.uint64) * _GOLDEN)[None, :]
    bits = _mix(base[:, None] + steps)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
