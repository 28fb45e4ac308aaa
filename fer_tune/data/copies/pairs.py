"""Pairs of near copies: candidates by their descriptors, confirmed by aligning them.

What counts is one photograph, changed: mirrored, compressed again, resized, shifted by up to two of
48 pixels, cropped by up to a tenth of its width and height, of other brightness or contrast, with
another watermark. Two frames of one recording count if hardly anything moved between them. Two
photographs of one person do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.alignment import Fits, fits
from fer_tune.data.copies.candidates import Candidates, candidates
from fer_tune.data.copies.descriptors import thumbnail
from fer_tune.data.pixels import Pixels

#: Least correlation of aligned pictures, and of their details. The thresholds lie in the gap
#: between planted copies and different pictures of the real sample and of drawn faces, which are
#: alike in everything but detail (``benchmarks/near_copies.py``).
CORRELATION, DETAIL = 0.965, 0.87
#: The same for copies with clipped light or much noise: all of their details agree.
ROUGH_CORRELATION, CLEAR_DETAIL = 0.92, 0.95
#: Pictures with a smaller standard deviation, in grey levels, show too little to compare.
FLAT = 3.0


@dataclass(frozen=True, kw_only=True)
class CopyPair:
    """Two pictures that are near copies.

    Attributes:
        first, second: positions, the first one smaller.
        mirrored: one is the other's mirror image.
        correlation: once aligned, 0 to 1.
        detail: the same of what differs from the local mean.
    """

    first: int
    second: int
    mirrored: bool
    correlation: float
    detail: float


def near_pairs(pictures: Iterable[Pixels]) -> list[CopyPair]:
    """All pairs of near copies among distinct pictures, in the order of their positions.

    Of pictures with very many near copies only the most similar pairs are listed.

    Args:
        pictures: uint8 (h, w, 1 or 3) of any size. A copy with the same pixels is a pair too.
    """
    thumbnails = [thumbnail(pixels) for pixels in pictures]
    clear = np.array([i for i, one in enumerate(thumbnails) if one.std() >= FLAT], np.int64)
    if len(clear) < 2:
        return []
    stack = np.stack([thumbnails[i] for i in clear])
    found = candidates(stack)
    return list(_confirmed(found, fits(stack, found), clear)) if len(found) else []


def _confirmed(found: Candidates, fit: Fits, places: NDArray[np.int64]) -> Iterator[CopyPair]:
    """Each unordered pair once, in the direction in which it fits better."""
    alike = (fit.correlation >= CORRELATION) & (fit.detail >= DETAIL)
    alike |= (fit.correlation >= ROUGH_CORRELATION) & (fit.detail >= CLEAR_DETAIL)
    low = np.minimum(found.first, found.second)
    high = np.maximum(found.first, found.second)
    kept = np.flatnonzero(alike)
    kept = kept[np.lexsort((-fit.detail[kept], high[kept], low[kept]))]
    before = None
    for i in kept:
        pair = (int(places[low[i]]), int(places[high[i]]))
        if pair != before:
            yield CopyPair(
                first=pair[0],
                second=pair[1],
                mirrored=bool(found.mirrored[i]),
                correlation=float(fit.correlation[i]),
                detail=float(fit.detail[i]),
            )
        before = pair
