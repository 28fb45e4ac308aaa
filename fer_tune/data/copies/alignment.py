"""The second measure: two pictures laid over each other as exactly as possible, and compared.

Gauss-Newton steps (Lucas and Kanade 1981, "An iterative image registration technique") move and
scale the window in one picture until brightness and contrast aside it fits the middle of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.candidates import PLACEMENTS, Candidates
from fer_tune.data.copies.descriptors import MARGIN, SIDE, Floats

#: Points of a window per side.
_POINTS = 32
_STEPS = 4
#: Bounds of the window's scale and of the shift of its centre, as a share of the side.
_SCALES = (0.86, 1.04)
_SHIFT = 0.09
#: Pairs that are aligned at once.
_BLOCK = 2048


@dataclass(frozen=True, kw_only=True)
class Fits:
    """How well pairs agree once aligned.

    Attributes:
        correlation: of all pixels of the window, -1 to 1 (n,).
        detail: of what remains after the local mean is subtracted, -1 to 1 (n,).
        contrast: of that remainder: standard deviation in the flatter picture, in grey levels (n,).
    """

    correlation: Floats
    detail: Floats
    contrast: Floats


def fits(
    thumbnails: NDArray[np.uint8],
    pairs: Candidates,
    progress: Callable[[int], None] = lambda done: None,
) -> Fits:
    """Aligns candidate pairs of thumbnails, uint8 (n, SIDE, SIDE).

    Args:
        progress: called with the pairs that were aligned.
    """
    parts = []
    for start in range(0, max(1, len(pairs)), _BLOCK):
        block = slice(start, start + _BLOCK)
        parts.append(
            _aligned(
                thumbnails[pairs.first[block]],
                thumbnails[pairs.second[block]],
                pairs.mirrored[block],
                pairs.placement[block],
            )
        )
        progress(min(start + _BLOCK, len(pairs)))
    correlation, detail, contrast = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Fits(correlation=correlation, detail=detail, contrast=contrast)


def _aligned(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    mirrored: NDArray[np.bool_],
    placement: NDArray[np.int64],
) -> tuple[Floats, Floats, Floats]:
    n = len(first)
    second = np.where(mirrored[:, None, None], second[:, :, ::-1], second)
    middle = np.tile(np.array([1, 1, 0, 0], np.float32), (n, 1))
    target = _window(second, middle).reshape(n, -1)
    starts = np.array([(p.scale, p.scale, p.down, p.right) for p in PLACEMENTS], np.float32)
    at = starts[placement]
    within = (((np.arange(_POINTS) + 0.5) / _POINTS - 0.5) * (1 - 2 * MARGIN)).astype(np.float32)
    best_at, best = at, np.full(n, -2, np.float32)
    for step in range(_STEPS + 1):
        window = _window(first, at)
        score = _correlation(window.reshape(n, -1), target)
        better = score > best
        best = np.where(better, score, best)
        best_at = np.where(better[:, None], at, best_at)
        if step < _STEPS:
            at = _improved(window, target, at, within)
    window = _window(first, best_at)
    fine, other = _without_mean(window), _without_mean(target.reshape(window.shape))
    spread = np.minimum(fine.std(axis=(1, 2)), other.std(axis=(1, 2)))
    return best, _correlation(fine.reshape(n, -1), other.reshape(n, -1)), spread


def _improved(window: Floats, target: Floats, at: Floats, within: Floats) -> Floats:
    """One Gauss-Newton step of the windows (n, P, P) placed at ``at`` (n, 4)."""
    n = len(window)
    # Per point of the window, in shares of the thumbnail's side and of the window's scale.
    pitch = (1 - 2 * MARGIN) / _POINTS
    down = np.gradient(window, axis=1) / (pitch * at[:, 0, None, None])
    right = np.gradient(window, axis=2) / (pitch * at[:, 1, None, None])
    columns = np.stack(
        [
            window,
            np.ones_like(window),
            down * within[None, :, None],
            right * within[None, None, :],
            down,
            right,
        ],
        axis=1,
    ).reshape(n, 6, -1)
    normal = (columns @ columns.transpose(0, 2, 1)).astype(np.float64)
    normal += np.eye(6) * (1e-6 * np.trace(normal, axis1=1, axis2=2)[:, None, None] / 6 + 1e-9)
    wanted = (columns @ target[:, :, None]).astype(np.float64)
    found = np.linalg.solve(normal, wanted)[:, :, 0]
    gain = np.where(np.abs(found[:, :1]) < 0.05, 0.05, found[:, :1])
    step = np.clip(found[:, 2:] / gain, -0.03, 0.03)
    moved = at + step.astype(np.float32)
    moved[:, :2] = np.clip(moved[:, :2], *_SCALES)
    moved[:, 2:] = np.clip(moved[:, 2:], -_SHIFT, _SHIFT)
    return moved


def _window(thumbnails: NDArray[np.uint8], at: Floats) -> Floats:
    """Windows of thumbnails, float32 (n, P, P); outside, the pixels of the edge go on."""
    rows, columns = _sampling(at[:, 0], at[:, 2]), _sampling(at[:, 1], at[:, 3])
    window: Floats = rows @ thumbnails.astype(np.float32) @ columns.transpose(0, 2, 1)
    return window


def _sampling(scale: Floats, place: Floats) -> Floats:
    within = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    at = (0.5 + place[:, None] + scale[:, None] * (1 - 2 * MARGIN) * within) * SIDE - 0.5
    # A tent as wide as the pitch of the points, at least a pixel, so that none is passed over.
    distance = np.abs(np.clip(at, 0, SIDE - 1)[:, :, None] - np.arange(SIDE))
    weights = np.maximum(0, 1 - distance / 1.3).astype(np.float32)
    sampled: Floats = weights / weights.sum(axis=2, keepdims=True)
    return sampled


def _without_mean(window: Floats) -> Floats:
    """What differs from the mean of the 7 by 7 points around (n, P, P)."""
    padded = np.pad(window, ((0, 0), (4, 3), (4, 3)), mode="edge").cumsum(1).cumsum(2)
    mean = padded[:, 7:, 7:] - padded[:, :-7, 7:] - padded[:, 7:, :-7] + padded[:, :-7, :-7]
    rest: Floats = window - mean / 49
    return rest


def _correlation(first: Floats, second: Floats) -> Floats:
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    found: Floats = (first * second).sum(axis=1) / np.maximum(size, 1e-6)
    return found
