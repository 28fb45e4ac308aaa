"""Views: the deterministic augmentations that a network sees.

View *v* of picture *i* depends on (view seed, policy, *v*, *i*) alone, so all trials of a search
see the same views (common random numbers) and may share what a frozen prefix makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fer_tune.data.counter_rng import stream, uniforms

#: Pictures worked on at once.
CHUNK = 128


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Strength of the augmentation besides the random crop and flip, which all policies have.

    Attributes:
        rotation: largest turn to either side, in degrees.
        brightness: largest shift, as a share of the full range.
        contrast: largest change of the contrast factor about 1.
        erase: probability that a rectangle is blanked with the picture's mean.
        erase_side: smallest and largest side of that rectangle, as a share of the crop.
    """

    rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    erase_side: tuple[float, float] = (0.15, 0.4)


POLICIES = {
    "plain": Policy(),
    "moderate": Policy(rotation=10.0, brightness=0.1, contrast=0.2),
    "strong": Policy(rotation=15.0, brightness=0.2, contrast=0.4, erase=0.5),
}

#: Columns of the random numbers of one picture in one view.
_TOP, _LEFT, _FLIP, _TURN, _BRIGHT, _CONTRAST, _ERASE, _EH, _EW, _ETOP, _ELEFT = range(11)


class Pictures(Protocol):
    """The interface of a dataset for views."""

    @property
    def sizes(self) -> NDArray[np.int64]: ...

    def picture(self, position: int) -> NDArray[np.uint8]: ...


def view_pictures(
    dataset: Pictures,
    positions: NDArray[np.int64],
    *,
    crop_size: int,
    policy: str,
    view: int | None,
    seed: int,
    resize_ratio: float,
    device: str | torch.device = "cpu",
) -> Tensor:
    """View ``view`` of the pictures at ``positions``, bit-equal for any subset and order.

    The picture is resized to ``round(crop_size * resize_ratio)`` (bilinear, antialiased, aspect
    given up), a square of ``crop_size`` taken, then flip, turn, brightness and contrast, erasing,
    by ``policy``. View None is the evaluation view: resize and centre crop.

    Returns:
        uint8 (len(positions), c, crop_size, crop_size) on ``device``; c is 1 or 3.
    """
    settings = POLICIES[policy]
    side = max(crop_size, round(crop_size * resize_ratio))
    done = []
    for part in chunks(positions):
        resized = _resized(dataset, part, side, torch.device(device))
        if view is None:
            edge = (side - crop_size) // 2
            cropped = resized[:, :, edge : edge + crop_size, edge : edge + crop_size]
        else:
            numbers = uniforms(stream("view", seed, policy, view), part, 11)
            cropped = _augmented(resized, settings, numbers, crop_size)
        done.append(cropped.round().clamp(0, 255).to(torch.uint8))
    return torch.cat(done).contiguous()


def chunks(positions: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """``positions`` in parts of at most CHUNK."""
    for start in range(0, len(positions), CHUNK):
        yield positions[start : start + CHUNK]


def _resized(
    dataset: Pictures, positions: NDArray[np.int64], side: int, device: torch.device
) -> Tensor:
    """Float pictures (m, c, side, side) in 0 .. 255; pictures of one size go together."""
    sizes = dataset.sizes[positions]
    result: Tensor | None = None
    for size in np.unique(sizes, axis=0):
        places = np.flatnonzero((sizes == size).all(axis=1))
        stacked = np.stack([dataset.picture(int(p)) for p in positions[places]])
        raw = torch.from_numpy(stacked).to(device).permute(0, 3, 1, 2).float()
        scaled = functional.interpolate(
            raw, (side, side), mode="bilinear", antialias=True, align_corners=False
        )
        if result is None:
            result = scaled.new_empty(len(positions), *scaled.shape[1:])
        result[torch.from_numpy(places).to(device)] = scaled
    assert result is not None, "no positions"
    return result


def _augmented(resized: Tensor, policy: Policy, numbers: NDArray[np.float64], crop: int) -> Tensor:
    u = torch.from_numpy(numbers).to(resized.device)
    room = resized.shape[-1] - crop
    if policy.rotation:
        resized = _turned(resized, (2 * u[:, _TURN] - 1) * policy.rotation)
    top = (u[:, _TOP] * (room + 1)).long()
    left = (u[:, _LEFT] * (room + 1)).long()
    steps = torch.arange(crop, device=resized.device)
    columns = left[:, None] + steps[None, :]
    columns = torch.where(u[:, _FLIP, None] < 0.5, columns.flip(1), columns)
    rows = top[:, None] + steps[None, :]
    which = torch.arange(len(resized), device=resized.device)[:, None, None]
    # Advanced indices with a slice between them put the channels last.
    pictures = resized[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if policy.contrast or policy.brightness:
        mean = _mean(pictures)
        factor = _per_picture(1 + (2 * u[:, _CONTRAST] - 1) * policy.contrast)
        shift = _per_picture((2 * u[:, _BRIGHT] - 1) * policy.brightness * 255)
        pictures = ((pictures - mean) * factor + mean + shift).clamp(0, 255)
    return _erased(pictures, policy, u) if policy.erase else pictures


def _mean(pictures: Tensor) -> Tensor:
    """Mean of every picture, shape (m, 1, 1, 1), summed in whole numbers.

    A sum of floats would round differently with the number of pictures and of threads.
    """
    whole = pictures.round().long().sum(dim=(1, 2, 3), keepdim=True)
    return whole.float() / pictures[0].numel()


def _per_picture(values: Tensor) -> Tensor:
    return values.float()[:, None, None, None]


def _turned(pictures: Tensor, degrees: Tensor) -> Tensor:
    """Pictures turned about their centres; the border is repeated outside."""
    angle = torch.deg2rad(degrees).float()
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    matrix = torch.stack(
        [torch.stack([cos, -sin, zero], dim=1), torch.stack([sin, cos, zero], dim=1)], dim=1
    )
    grid = functional.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def _erased(pictures: Tensor, policy: Policy, u: Tensor) -> Tensor:
    """Pictures of which some have a rectangle blanked (Zhong et al. 2020, Random Erasing)."""
    crop = pictures.shape[-1]
    low, high = policy.erase_side
    height, width = (((low + u[:, c] * (high - low)) * crop).long() for c in (_EH, _EW))
    top = (u[:, _ETOP] * (crop - height + 1)).long()
    left = (u[:, _ELEFT] * (crop - width + 1)).long()
    steps = torch.arange(crop, device=pictures.device)[None, :]
    inside_rows = (steps >= top[:, None]) & (steps < (top + height)[:, None])
    inside_columns = (steps >= left[:, None]) & (steps < (left + width)[:, None])
    box = inside_rows[:, :, None] & inside_columns[:, None, :]
    box &= (u[:, _ERASE] < policy.erase)[:, None, None]
    return torch.where(box[:, None], _mean(pictures), pictures)
