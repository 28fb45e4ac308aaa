"""Pairs of near copies: candidates by their descriptors, confirmed by aligning them.

What counts is one photograph, changed: mirrored, compressed again, resized, shifted by up to two of
48 pixels, cropped by up to a tenth of its width and height, of other brightness or contrast, with
another watermark. Two frames of one recording count if hardly anything moved between them. Two
photographs of one person do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.alignment import Fits, fits
from fer_tune.data.copies.candidates import Candidates, candidates
from fer_tune.data.copies.descriptors import SIDE, thumbnail
from fer_tune.data.pixels import Pixels

#: Least correlation of aligned pictures, and of their details. The thresholds lie in the gap
#: between planted copies and different pictures of the real sample and of drawn faces, which are
#: alike in everything but detail (``benchmarks/data/near_copies.py``).
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


#: Called with the work done and all of it, in pictures.
Progress = Callable[[int, int], None]


def near_pairs(
    pictures: Iterable[Pixels], count: int | None = None, progress: Progress | None = None
) -> list[CopyPair]:
    """All pairs of near copies among distinct pictures, in the order of their positions.

    Of pictures with very many near copies only the most similar pairs are listed.

    Args:
        pictures: uint8 (h, w, 1 or 3) of any size. A copy with the same pixels is a pair too.
        count: of them, if they have no length.
        progress: called during the search.
    """
    if count is None:
        pictures = list(pictures)
        count = len(pictures)
    # One array from the beginning: with a list beside it they would be in memory twice.
    stack = np.empty((count, SIDE, SIDE), np.uint8)
    places = np.empty(count, np.int64)
    kept = 0
    for place, pixels in enumerate(pictures):
        stack[kept], places[kept] = thumbnail(pixels), place
        kept += bool(stack[kept].std() >= FLAT)
    if kept < 2:
        return []
    stack, places = stack[:kept], places[:kept]
    # Half of the time goes into either step.
    found = candidates(stack, lambda done: progress(done, 2 * kept) if progress else None)

    def aligned(done: int) -> None:
        if progress is not None:
            progress(kept + kept * done // len(found), 2 * kept)

    return list(_confirmed(found, fits(stack, found, aligned), places)) if len(found) else []


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
