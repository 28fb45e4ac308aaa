"""A detected face cut out of its picture, as the training pictures were."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces.interface import Face
from fer_tune.serving.faces.registration import TRAINING_SIDE, Frame, frame_of

#: Samples per pixel of the crop, along each axis, at most. Of larger faces the picture is reduced
#: first.
_MOST_SAMPLES = 4


def crop_face(rgb: Pixels, face: Face, side: int = TRAINING_SIDE) -> Pixels:
    """The square of the picture in which a training picture would show this face.

    A similarity transform by :func:`frame_of`. Beyond the picture its edge is repeated.

    Args:
        rgb: uint8 (h, w, 3) or (h, w, 1).
        face: of that picture.
        side: of the crop in pixels. That of the training pictures, so that a crop of a sharp
            picture is as sharp as they are.

    Returns:
        uint8 (side, side, c) with as many channels as the picture.
    """
    return cut_out(rgb, frame_of(face), side)


def cut_out(pixels: Pixels, frame: Frame, side: int) -> Pixels:
    """The content of ``frame``, antialiased, as uint8 (side, side, c)."""
    region, frame = _surroundings(pixels, frame)
    region, frame = _reduced(region, frame, side)
    samples = max(side, math.ceil(frame.side))
    height, width = region.shape[-2:]
    steps = (np.arange(samples) + 0.5) / samples
    x, y = np.meshgrid(steps, steps)
    points = frame.at(np.stack([x.ravel(), y.ravel()], axis=1))
    grid = torch.from_numpy(points * 2 / (width, height) - 1).float()
    found = functional.grid_sample(
        region,
        grid.reshape(1, samples, samples, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    crop = _resized(found, (side, side))[0].round().clamp(0, 255).to(torch.uint8)
    return crop.permute(1, 2, 0).contiguous().numpy()


def _surroundings(pixels: Pixels, frame: Frame) -> tuple[Tensor, Frame]:
    """The part of the picture that the frame may need, as float (1, c, h, w), and the frame there.

    Never empty: of a frame beside the picture it is the nearest row or column.
    """
    limits = np.array([pixels.shape[1], pixels.shape[0]])
    corners = frame.corners()
    low = np.clip(np.floor(corners.min(axis=0)) - 2, 0, limits - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 2, low + 1, limits).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]].copy()  # torch wants it writable
    moved = Frame(
        x=frame.x - float(low[0]), y=frame.y - float(low[1]), side=frame.side, turn=frame.turn
    )
    return torch.from_numpy(part).permute(2, 0, 1)[None].float(), moved


def _reduced(region: Tensor, frame: Frame, side: int) -> tuple[Tensor, Frame]:
    """Both smaller, where the frame has more samples than needed."""
    factor = frame.side / (side * _MOST_SAMPLES)
    if factor <= 1:
        return region, frame
    height, width = region.shape[-2:]
    size = max(1, round(height / factor)), max(1, round(width / factor))
    # The aspect changes by less than a pixel; the frame follows each axis at its centre.
    moved = Frame(
        x=frame.x * size[1] / width,
        y=frame.y * size[0] / height,
        side=frame.side / factor,
        turn=frame.turn,
    )
    return _resized(region, size), moved


def _resized(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear and antialiased, as the training code resizes."""
    return functional.interpolate(
        pictures, size, mode="bilinear", antialias=True, align_corners=False
    )
