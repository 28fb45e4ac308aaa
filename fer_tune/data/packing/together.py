"""Groups of pictures that stay on one side of a split, and a share of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Groups = NDArray[np.int64]


def joined(*groupings: Groups) -> Groups:
    """Groups of pictures that are linked by any of these groupings, each int64 (n,).

    Copies of one picture that belong to two people link these people, for example.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, start = len(groupings[0]), 0
    pictures, groups = [], []
    for grouping in groupings:
        numbers = np.unique(grouping, return_inverse=True)[1]
        pictures.append(np.arange(n))
        groups.append(n + start + numbers)
        start += int(numbers.max(initial=-1)) + 1
    rows, columns = np.concatenate(pictures), np.concatenate(groups)
    links = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(n + start, n + start))
    found: Groups = connected_components(links, directed=False)[1][:n].astype(np.int64)
    return found


def numbered(names: NDArray[np.object_]) -> Groups:
    """Numbers of groups by name, int64 (n,); pictures with an empty name are alone."""
    numbers = np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)
    alone = names == ""
    numbers[alone] = len(names) + np.arange(int(alone.sum()))
    return numbers


def share_of(
    groups: Groups, labels: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whole groups with about ``share`` of the pictures of every class, bool (n,).

    Groups are taken in random order as long as they bring the classes nearer to their shares.
    Every class that has pictures in two groups or more is on both sides if that can be.

    Args:
        groups: int64 (n,), of the pictures in an order that does not depend on their source.
        labels: int64 (n,), class of each picture, counted from 0.
        share: 0 to 1 (both excluded).
    """
    sizes = np.bincount(labels)
    wanted = np.clip(np.round(share * sizes).astype(np.int64), 1, np.maximum(sizes - 1, 1))
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order[0]] - 1))
    members = np.split(order, starts[1:])
    taken = np.zeros_like(sizes)
    mask = np.zeros(len(groups), bool)

    def leaves_some(counts: NDArray[np.int64], present: NDArray[np.int64]) -> bool:
        return bool((taken[present] + counts < sizes[present]).all())

    def take(number: int) -> None:
        mask[members[number]] = True
        np.add.at(taken, labels[members[number]], 1)

    shuffled = rng.permutation(len(members))
    for number in shuffled:
        present, counts = np.unique(labels[members[number]], return_counts=True)
        before, after = wanted[present] - taken[present], wanted[present] - taken[present] - counts
        nearer = np.abs(after).sum() < np.abs(before).sum()
        if nearer and leaves_some(counts, present):
            take(int(number))
    for label in np.flatnonzero((taken == 0) & (sizes > 1)):
        smallest = sorted(shuffled, key=lambda number: len(members[number]))
        for number in smallest:
            present, counts = np.unique(labels[members[number]], return_counts=True)
            if label in present and leaves_some(counts, present):
                take(int(number))
                break
    return mask
