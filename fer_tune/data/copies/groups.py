"""Groups of related pictures: exact copies and near copies, and whatever they connect."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.pairs import Progress, near_pairs
from fer_tune.data.pixels import Pixels

Ints = NDArray[np.int64]

#: Of the search for near copies. A packed dataset that records another one is searched again.
NEAR_VERSION = 1
#: Contents among which near copies are searched for: the time grows with the square of their
#: number, and these take about an hour on two cores.
MOST_SEARCHED = 300_000


def are_searched(groups: Ints) -> bool:
    """Whether near copies are searched for among so many contents; ``groups`` int64 (n,)."""
    return len(np.unique(groups)) <= MOST_SEARCHED


def related_groups(
    groups: Ints, picture: Callable[[int], Pixels], progress: Progress | None = None
) -> Ints:
    """Group of each of n pictures, int64 (n,): the smallest position of a related picture.

    Of more than :data:`MOST_SEARCHED` contents only exact copies are related.

    Args:
        groups: int64 (n,), a number per content; equal pictures share one.
        picture: gives the pixels at a position, uint8 (h, w, 1 or 3).
        progress: called during the search.
    """
    first = first_members(groups)
    distinct = np.unique(first)
    if len(distinct) > MOST_SEARCHED:
        return first
    pairs = near_pairs((picture(int(place)) for place in distinct), len(distinct), progress)
    joined = connected(
        len(groups), ((int(distinct[p.first]), int(distinct[p.second])) for p in pairs)
    )
    return joined[first]


def copy_groups(hashes: NDArray[np.str_]) -> Ints:
    """Copy group of each picture, counted from 0; ``hashes`` is str (n,) in canonical order."""
    # Copies are neighbours in canonical order: a group starts wherever the hash changes.
    starts: Ints = np.concatenate([[0], np.cumsum(hashes[1:] != hashes[:-1])])
    return starts


def first_members(groups: Ints) -> Ints:
    """The smallest position in each picture's group, int64 (n,); ``groups`` are any numbers."""
    _, starts, inverse = np.unique(groups, return_index=True, return_inverse=True)
    first: Ints = starts[inverse].astype(np.int64)
    return first


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> Ints:
    """Connected components of ``count`` positions: the smallest position of each, int64 (n,)."""
    parents = list(range(count))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return np.array([root(place) for place in range(count)], np.int64)


def pack_groups(groups: Ints) -> bytes:
    """Groups of n pictures in few bytes, for a message: only pictures that have company count."""
    first = first_members(groups)
    others = np.flatnonzero(first != np.arange(len(first)))
    return zlib.compress(np.stack([others, first[others]]).astype("<i4").tobytes(), 6)


def unpack_groups(packed: bytes, count: int) -> Ints:
    """The groups of ``count`` pictures that :func:`pack_groups` packed, int64 (n,)."""
    groups = np.arange(count)
    others, first = np.frombuffer(zlib.decompress(packed), "<i4").reshape(2, -1)
    groups[others] = first
    return groups
