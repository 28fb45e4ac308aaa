"""Rows of the tables ``predictions`` and ``confusion``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune.data import PackedDataset, Split


def prediction_rows(
    id_columns: dict[str, Any],
    seed: int,
    dataset: PackedDataset,
    split: Split,
    probabilities: NDArray[np.float32],
) -> list[dict[str, Any]]:
    """Rows of the ``predictions`` table for the test split.

    Args:
        probabilities: shape (n_test, classes), in the order of ``split.test``.
    """
    names = dataset.classes
    return [
        {
            **id_columns,
            "seed": seed,
            "split": "test",
            "picture": str(dataset.hashes[position]),
            "position": int(position),
            "true_class": names[dataset.labels[position]],
            "predicted_class": names[int(row.argmax())],
            "probabilities": row.tolist(),
            "leaked": bool(split.leaked[position]),
            "conflicting": bool(split.conflicting[position]),
            "blank": bool(split.blank[position]),
        }
        for position, row in zip(split.test, probabilities, strict=True)
    ]


def confusion_rows(
    id_columns: dict[str, Any],
    split: str,
    subset: str,
    epoch: int,
    counts: NDArray[np.int64],
    classes: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Rows of the ``confusion`` table for counts (classes, classes)."""
    return [
        {
            **id_columns,
            "split": split,
            "subset": subset,
            "epoch": epoch,
            "true_class": true,
            "predicted_class": predicted,
            "count": int(counts[i, j]),
        }
        for i, true in enumerate(classes)
        for j, predicted in enumerate(classes)
    ]
