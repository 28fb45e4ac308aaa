"""Boxes as arrays: float (n, 4) with left, top, right and bottom edges in pixels."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


def overlap(box: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """Area that ``box`` (4) shares with each of ``boxes`` (n, 4), in square pixels."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared: NDArray[np.float64] = np.prod(np.maximum(high - low, 0.0), axis=1)
    return shared


def areas(boxes: Boxes) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1)
    return found


def iou(box: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """Intersection over union of ``box`` with each of ``boxes``, 0 to 1."""
    shared = overlap(box, boxes)
    union = areas(box[None])[0] + areas(boxes) - shared
    ratio: NDArray[np.float64] = shared / np.maximum(union, np.finfo(np.float64).tiny)
    return ratio


def suppressed(
    boxes: Boxes,
    scores: NDArray[np.float64],
    limit: float,
    relative_to: Literal["union", "smaller"] = "union",
) -> NDArray[np.int64]:
    """Non-maximum suppression: indices of the boxes that remain, the best score first.

    A box is dropped if it shares more than ``limit`` with a better one that remains.

    Args:
        boxes: float (n, 4).
        scores: float (n).
        limit: share of the union of both, or of the smaller box, 0 to 1.
    """
    size = areas(boxes)
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(best)
        shared = overlap(boxes[best], boxes[rest])
        smaller = np.minimum(size[best], size[rest])
        base = smaller if relative_to == "smaller" else size[best] + size[rest] - shared
        waiting = rest[shared <= limit * base]
    return np.array(kept, dtype=np.int64)


def shifted(boxes: Boxes, offsets: NDArray[np.float64]) -> Boxes:
    """Box regression: every edge moved by its offset, a share of the box's width or height.

    Args:
        boxes: float (n, 4).
        offsets: float (n, 4), of left, top, right, bottom.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    moved: Boxes = boxes + offsets * np.concatenate([sides, sides], axis=1)
    return moved


def squared(boxes: Boxes) -> Boxes:
    """Squares with the same centres, as wide as the longer sides."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.max(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True) / 2
    return np.concatenate([centres - half, centres + half], axis=1)
