"""Folds of cross-validation that keep pictures of one group together."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from fer_tune.errors import DataError

Ints = NDArray[np.int64]


def check_groups(labels: Ints, groups: Ints, folds: int, where: str) -> None:
    """Checks that the pictures suffice.

    Args:
        labels, groups: int64 (n,), of the training pictures.
        where: the dataset, for the message.

    Raises:
        DataError: there are fewer than two groups or pictures of the largest class per fold.
    """
    found = min(len(np.unique(groups)), int(np.bincount(labels).max(initial=0)))
    if found < 2 * folds:
        raise DataError(
            f"has too few training pictures for {folds} folds: its largest class, and its groups "
            f"of persons and copies, must be at least {2 * folds}",
            where=where,
            value=found,
            remedy="Use fewer --folds, at least 3, or import more pictures",
        )


def folds_of(labels: Ints, groups: Ints, folds: int, seed: int) -> Ints:
    """The fold of each of n pictures, int64 (n,) from 0; a fold of very uneven groups may be empty.

    Args:
        labels, groups: int64 (n,); the largest class has at least as many pictures as folds.
    """
    found = np.zeros(len(labels), dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer pictures than folds is absent from some of them.
        warnings.simplefilter("ignore", UserWarning)
        for number, (_, held_out) in enumerate(splitter.split(labels, labels, groups)):
            found[held_out] = number
    return found
