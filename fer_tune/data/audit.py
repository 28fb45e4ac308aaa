"""The audit of a dataset: copies, near copies, leaks, contradictory labels, blanks, imbalance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.dataset import DatasetIndex
from fer_tune.data.names import SPLITS

#: A picture is blank if no channel's standard deviation (0 to 127.5) reaches this.
BLANK_DEVIATION = 1.0
#: What counts as a copy. A search keeps the version that it began with, so that all of its runs
#: have the same splits. In version 1, of searches that record none, only exact copies do; in
#: version 2 near copies do too (:mod:`fer_tune.data.copies`).
AUDIT_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class DatasetAudit:
    """Findings on one packed dataset. Copies are pictures with the same content hash.

    Near copies are different contents of one photograph, see :mod:`fer_tune.data.copies.pairs`;
    what one photograph connects is a group.

    Attributes:
        fingerprint: of the dataset.
        pictures: how many.
        channels: 1 or 3.
        classes: class names in label order.
        counts: pictures per split and class name, zeros included.
        imbalance: pictures of the largest class by those of the smallest, over all splits.
        copy_groups: contents that occur twice or more.
        copy_pictures: pictures in those groups.
        groups_across_splits: copy groups with members in more than one split.
        test_in_training: test pictures with a copy in the training split.
        test_in_validation: test pictures with a copy in the source's own validation split.
        conflicting_groups: copy groups whose members carry different labels.
        conflicting_pictures: pictures in those groups.
        blank_contents: distinct contents with standard deviation below 1.
        blank_pictures: pictures with such a content, copies counted each.
        near_groups: groups with two contents or more. This and what follows on near copies is None
            if the dataset has too many pictures to search for them.
        near_pictures: pictures in them, exact copies counted each.
        near_across_splits: of these groups, those with members in more than one split.
        near_in_training: test pictures without an exact copy, but with a near copy, in training.
        near_in_validation: the same for the source's own validation split.
        near_left_by_exact: test pictures with a near copy outside the test split that is no exact
            copy of a test picture: what is left there if only exact copies are removed.
        smallest, largest: height and width of the pictures with the fewest and the most pixels.
    """

    fingerprint: str
    pictures: int
    channels: int
    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    imbalance: float
    copy_groups: int
    copy_pictures: int
    groups_across_splits: int
    test_in_training: int
    test_in_validation: int
    conflicting_groups: int
    conflicting_pictures: int
    blank_contents: int
    blank_pictures: int
    near_groups: int | None
    near_pictures: int | None
    near_across_splits: int | None
    near_in_training: int | None
    near_in_validation: int | None
    near_left_by_exact: int | None
    smallest: tuple[int, int]
    largest: tuple[int, int]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def audit(dataset: DatasetIndex) -> DatasetAudit:
    """Audits a dataset from its index; pixels are read only if it has no near copies recorded."""
    groups, labels, splits = dataset.groups, dataset.labels, dataset.splits
    test = splits == "test"
    copied = np.bincount(groups)[groups] > 1
    train, validation = splits == "train", splits == "validation"
    across = spanning_mask(groups, test) | spanning_mask(groups, train)
    conflicting = conflicting_mask(groups, labels)
    blank = dataset.deviations < BLANK_DEVIATION
    areas = dataset.sizes.prod(axis=1)
    per_class = np.bincount(labels, minlength=len(dataset.classes))
    return DatasetAudit(
        fingerprint=dataset.fingerprint,
        pictures=len(dataset),
        channels=dataset.channels,
        classes=dataset.classes,
        counts=_counts(dataset),
        imbalance=float(per_class.max() / per_class.min()),
        copy_groups=_groups(groups, copied),
        copy_pictures=int(copied.sum()),
        groups_across_splits=_groups(groups, across),
        test_in_training=int((test & np.isin(groups, groups[train])).sum()),
        test_in_validation=int((test & np.isin(groups, groups[validation])).sum()),
        conflicting_groups=_groups(groups, conflicting),
        conflicting_pictures=int(conflicting.sum()),
        blank_contents=_groups(groups, blank),
        blank_pictures=int(blank.sum()),
        **_near(dataset),
        smallest=_size(dataset, int(areas.argmin())),
        largest=_size(dataset, int(areas.argmax())),
    )


_NEAR = (
    *("near_groups", "near_pictures", "near_across_splits"),
    *("near_in_training", "near_in_validation", "near_left_by_exact"),
)


def _near(dataset: DatasetIndex) -> dict[str, int | None]:
    """The findings on near copies."""
    if not dataset.near_searched:
        return dict.fromkeys(_NEAR)
    groups, splits, related = dataset.groups, dataset.splits, dataset.related
    train, validation, test = splits == "train", splits == "validation", splits == "test"
    near = _several_contents(related, groups)
    across = near & (spanning_mask(related, test) | spanning_mask(related, train))
    other_contents = ~test & ~np.isin(groups, groups[test])
    values = (
        _groups(related, near),
        int(near.sum()),
        _groups(related, across),
        _nearly_in(train, test, groups, related),
        _nearly_in(validation, test, groups, related),
        int((test & np.isin(related, related[other_contents])).sum()),
    )
    return dict(zip(_NEAR, values, strict=True))


def spanning_mask(groups: NDArray[np.int64], side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of n pictures belong to a copy group with members both in and out of ``side``.

    Args:
        groups: int64 (n,), copy group, counted from 0.
        side: bool (n,).
    """
    inside = np.bincount(groups, weights=side)
    spanning: NDArray[np.bool_] = (inside > 0) & (inside < np.bincount(groups))
    return spanning[groups]


def conflicting_mask(groups: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of n pictures have a copy with another label; both arguments int64 (n,)."""
    first = np.full(int(groups.max()) + 1, -1, dtype=np.int64)
    first[groups[::-1]] = labels[::-1]
    disagreeing = np.bincount(groups, weights=labels != first[groups]) > 0
    mask: NDArray[np.bool_] = disagreeing[groups]
    return mask


def _several_contents(related: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of n pictures are related to a picture with other pixels."""
    contents = np.unique(np.stack([related, groups]), axis=1)[0]
    several: NDArray[np.bool_] = np.bincount(contents, minlength=len(related))[related] > 1
    return several


def _nearly_in(
    side: NDArray[np.bool_],
    test: NDArray[np.bool_],
    groups: NDArray[np.int64],
    related: NDArray[np.int64],
) -> int:
    """Test pictures with a near copy, but no exact one, on another side."""
    near, exact = np.isin(related, related[side]), np.isin(groups, groups[side])
    return int((test & near & ~exact).sum())


def _groups(groups: NDArray[np.int64], mask: NDArray[np.bool_]) -> int:
    return len(np.unique(groups[mask]))


def _counts(dataset: DatasetIndex) -> dict[str, dict[str, int]]:
    return {
        split: {
            name: int(((dataset.splits == split) & (dataset.labels == label)).sum())
            for label, name in enumerate(dataset.classes)
        }
        for split in SPLITS
    }


def _size(dataset: DatasetIndex, i: int) -> tuple[int, int]:
    height, width = dataset.sizes[i]
    return int(height), int(width)
