"""Splits a dataset into training, validation and test positions, keeping copies together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.audit import AUDIT_VERSION, BLANK_DEVIATION, conflicting_mask, spanning_mask
from fer_tune.data.dataset import DatasetIndex
from fer_tune.data.packing.together import joined, share_of
from fer_tune.errors import DataError

Handling = Literal["drop", "keep"]
#: ``exact``: drop, where only pictures with the same pixels count as copies.
Leaks = Literal["drop", "keep", "exact"]
Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Positions of a packed dataset's n pictures, each array sorted, none overlapping.

    Attributes:
        train, validation: int64, for the search; no group of related pictures is in both.
        test: int64, every test picture of the dataset, always.
        leaked: bool (n,), test pictures with a copy in training or validation, and those copies.
        conflicting: bool (n,), a copy has another label.
        blank: bool (n,), standard deviation below 1.
        dropped: pictures taken out of training and validation, by reason; each counted once,
            ``leaked`` before ``conflicting`` before ``copy_of_validation``.
    """

    train: Positions
    validation: Positions
    test: Positions
    leaked: Mask
    conflicting: Mask
    blank: Mask
    dropped: dict[str, int]


def cut(
    dataset: DatasetIndex,
    *,
    validation_share: float,
    seed: int,
    leaks: Leaks = "drop",
    conflicts: Handling = "drop",
    related: Positions | None = None,
) -> Split:
    """Cuts validation out of training by seed, stratified by class over groups of copies.

    Pictures of one subject (:attr:`DatasetIndex.subjects`) are on one side, too.

    A dataset that brings its own validation split keeps it; training copies of its pictures are
    then dropped. The test split is never changed.

    Args:
        validation_share: of each class's training pictures, 0 to 1 (both excluded).
        seed: of the cut; the same seed gives the same positions wherever the dataset is the same.
        leaks: whether to drop training and validation copies of test pictures.
        conflicts: whether to drop training and validation pictures whose copies differ in label;
            exact copies only.
        related: int64 (n,), the groups of copies; those of :func:`related_of` by default.

    Raises:
        DataError: an option out of range, or a class without pictures in one of the splits.
    """
    _check_options(validation_share, leaks, conflicts)
    test = dataset.splits == "test"
    own = dataset.splits == "validation"
    groups = related_of(dataset, leaks) if related is None else related
    leaked = spanning_mask(groups, test)
    conflicting = conflicting_mask(dataset.groups, dataset.labels)

    pool = ~test
    dropped: dict[str, int] = {}
    for reason, mask, handling in (
        ("leaked", leaked, leaks),
        ("conflicting", conflicting, conflicts),
    ):
        gone = pool & mask if handling != "keep" else np.zeros_like(pool)
        pool &= ~gone
        dropped[reason] = int(gone.sum())
    if own.any():
        validation = pool & own
        copies = pool & ~own & np.isin(groups, groups[validation])
        dropped["copy_of_validation"] = int(copies.sum())
        train = pool & ~own & ~copies
    else:
        validation = _cut_by_class(dataset, groups, pool, validation_share, seed)
        train = pool & ~validation
    split = Split(
        train=np.flatnonzero(train),
        validation=np.flatnonzero(validation),
        test=np.flatnonzero(test),
        leaked=leaked,
        conflicting=conflicting,
        blank=dataset.deviations < BLANK_DEVIATION,
        dropped=dropped,
    )
    _check_classes(dataset, split)
    return split


def related_of(dataset: DatasetIndex, leaks: Leaks, version: int = AUDIT_VERSION) -> Positions:
    """The groups of pictures that count as copies of each other, int64 (n,).

    Args:
        leaks: with ``exact``, pictures with the same pixels.
        version: of the audit that a search began with; in version 1 near copies do not count.
    """
    return dataset.groups if leaks == "exact" or version < 2 else dataset.related


def _cut_by_class(
    dataset: DatasetIndex, groups: Positions, pool: Mask, share: float, seed: int
) -> Mask:
    labels = dataset.labels
    members = np.flatnonzero(pool)
    if dataset.subjects is not None and members.size:
        together = joined(groups, dataset.subjects)[members]
        mask = np.zeros_like(pool)
        rng = np.random.default_rng(seed)
        mask[members[share_of(together, labels[members], share, rng)]] = True
        return mask
    # Kept conflicting copies must move together too: a group belongs to the class of its first
    # member in canonical order.
    starts, counts = np.unique(groups[members], return_index=True, return_counts=True)[1:]
    stratum = labels[members[starts]]
    chosen: list[int] = []
    for label in range(len(dataset.classes)):
        rng = np.random.default_rng([seed, label])
        mine = rng.permutation(np.flatnonzero(stratum == label))
        chosen += [
            int(groups[members[starts[mine[position]]]]) for position in _fill(counts[mine], share)
        ]
    return pool & np.isin(groups, np.array(chosen, dtype=groups.dtype))


def _fill(sizes: NDArray[np.int64], share: float) -> list[int]:
    """Which of the groups, in order, fill ``share`` of the pictures, one group left at least."""
    if len(sizes) < 2:
        return []
    room = min(max(1, round(share * int(sizes.sum()))), int(sizes.sum()) - 1)
    taken: list[int] = []
    for position, size in enumerate(sizes):
        if size <= room:
            taken.append(position)
            room -= int(size)
    return taken or [int(sizes.argmin())]


def _check_options(share: float, leaks: str, conflicts: str) -> None:
    if not 0 < share < 1:
        raise DataError(
            "must be above 0 and below 1",
            where="data.validation_share",
            value=share,
            remedy="0.15 uses 15 % of the training pictures for validation",
        )
    if leaks not in ("drop", "keep", "exact"):
        raise DataError("must be drop, keep or exact", where="data.leaks", value=leaks)
    if conflicts not in ("drop", "keep"):
        raise DataError("must be drop or keep", where="data.conflicts", value=conflicts)


_DROPPED = {
    "leaked": "also in the test split",
    "conflicting": "also under another class",
    "copy_of_validation": "also in the validation split",
}


def _remedy(name: str, *, own_validation: bool) -> str:
    if name == "test":
        return "The verdict needs a test split: put pictures into a test folder and import again"
    if own_validation:
        need = f"Add {name} pictures of it"
    else:
        need = (
            "A class needs at least 2 different training pictures, of which 1 is used for "
            "validation: add some"
        )
    return f"{need}, or exclude the class with --classes when importing"


def _check_classes(dataset: DatasetIndex, split: Split) -> None:
    for name in ("train", "validation", "test"):
        positions: Positions = getattr(split, name)
        present = np.bincount(dataset.labels[positions], minlength=len(dataset.classes)) > 0
        missing = [c for c, there in zip(dataset.classes, present, strict=True) if not there]
        if missing:
            dropped = ", ".join(f"{n} {_DROPPED[why]}" for why, n in split.dropped.items() if n)
            copies = f" after copies were dropped: {dropped}" if dropped and name != "test" else ""
            raise DataError(
                f"the {name} split has no picture of a class{copies}",
                where=str(dataset.root),
                value=", ".join(missing),
                remedy=_remedy(name, own_validation="validation" in dataset.splits),
            )
