"""Candidates for near copies: pairs of pictures with similar descriptors, in two steps.

First every pair is compared by its coarsest light, which tolerates small changes of place. Of the
pairs that remain, one picture is then looked for in several placements of a window in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.descriptors import Floats, Placement, Projection

Ints = NDArray[np.int64]

#: Least similarity (cosine) of the coarse descriptors of a pair, in the better mirror state.
COARSE = 0.72
#: Least similarity of the fine descriptors, in the best placement.
FINE = 0.82
#: Most candidates of one picture: one recording may give thousands of similar pictures.
MOST = 24

_STEP = 0.034
#: Shifts by up to two of 48 pixels, and crops by up to a tenth, to within about a pixel.
PLACEMENTS = tuple(
    Placement(scale, down, right)
    for scale, down, right in product((1.0, 0.93), (-_STEP, 0.0, _STEP), (-_STEP, 0.0, _STEP))
)

_COARSE = Projection(6, 0.0)
_FINE = Projection(10, 1.0)
#: Pictures whose rows of the table of similarities are held at once.
_ROWS = 256
#: Pictures whose descriptors are made at once.
_BLOCK = 2048


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Ordered pairs: the middle of picture ``second`` resembles a part of ``first``.

    Attributes:
        first, second: positions (n,).
        mirrored: whether ``second`` is mirrored (n,).
        placement: number of the placement in ``first`` (n,).
        similarity: of the fine descriptors, at least :data:`FINE` (n,).
    """

    first: Ints
    second: Ints
    mirrored: NDArray[np.bool_]
    placement: Ints
    similarity: Floats

    def __len__(self) -> int:
        return len(self.first)


def candidates(
    thumbnails: NDArray[np.uint8], progress: Callable[[int], None] = lambda done: None
) -> Candidates:
    """Pairs of n thumbnails that may be near copies of each other.

    Args:
        thumbnails: uint8 (n, SIDE, SIDE).
        progress: called with the thumbnails that were compared with all others.
    """
    coarse, fine = _in_blocks(_COARSE, thumbnails), _in_blocks(_FINE, thumbnails)
    found: list[tuple[NDArray[np.generic], ...]] = []
    for start in range(0, len(thumbnails), _ROWS):
        found += _of_rows(thumbnails, start, coarse, fine)
        progress(min(start + _ROWS, len(thumbnails)))
    columns = [np.concatenate(column) for column in zip(*found, strict=True)] if found else []
    if not columns:
        columns = [np.zeros(0, kind) for kind in (np.int64, np.int64, bool, np.int64, np.float32)]
    first, second, mirrored, placement, similarity = columns
    return Candidates(
        first=first, second=second, mirrored=mirrored, placement=placement, similarity=similarity
    )


def _in_blocks(projection: Projection, thumbnails: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """All descriptors; the thumbnails as numbers take four times their memory, so not at once."""
    starts = range(0, len(thumbnails), _BLOCK)
    parts = [projection(thumbnails[start : start + _BLOCK]) for start in starts]
    even, odd = (np.concatenate(part) for part in zip(*parts, strict=True))
    return even, odd


def _of_rows(
    thumbnails: NDArray[np.uint8],
    start: int,
    coarse: tuple[Floats, Floats],
    fine: tuple[Floats, Floats],
) -> Iterator[tuple[NDArray[np.generic], ...]]:
    rows = slice(start, start + _ROWS)
    table = coarse[1][rows] @ coarse[1].T
    np.abs(table, out=table)
    table += coarse[0][rows] @ coarse[0].T
    similar = table >= COARSE
    similar[np.arange(len(table)), start + np.arange(len(table))] = False
    placed = [_FINE(thumbnails[rows], place) for place in PLACEMENTS]
    even = np.stack([part[0] for part in placed], axis=2)
    odd = np.stack([part[1] for part in placed], axis=2)
    for row, mask in enumerate(similar):
        others = np.flatnonzero(mask)
        if not len(others):
            continue
        alike = fine[0][others] @ even[row]
        turned = fine[1][others] @ odd[row]
        best = alike + np.abs(turned)
        top = best.max(axis=1)
        kept = np.flatnonzero(top >= FINE)
        if len(kept) > MOST:
            kept = kept[np.argpartition(-top[kept], MOST)[:MOST]]
        if len(kept):
            place = best[kept].argmax(axis=1)
            yield (
                np.full(len(kept), start + row),
                others[kept],
                turned[kept, place] < 0,
                place,
                top[kept],
            )
