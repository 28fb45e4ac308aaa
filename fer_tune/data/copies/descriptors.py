"""Descriptors of pictures: their coarse pattern of light, of the picture and of parts of it.

A descriptor holds the lowest cosine coefficients of a window in the middle of a picture, without
the constant one and of unit length: brightness and contrast cancel out. In the descriptor of the
mirrored picture every odd horizontal frequency has the other sign, so that one pair of products
compares two pictures in both ways: even part plus odd part, and even part minus odd part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data.pixels import Pixels

Floats = NDArray[np.float32]

#: Side of the thumbnails that everything here is computed from, in pixels.
SIDE = 48
#: Points of a window per side.
_POINTS = 32
#: What a window leaves out at each edge, as a share of the side: a picture that was shifted by two
#: of 48 pixels still shows all of it.
MARGIN = 0.06


@dataclass(frozen=True)
class Placement:
    """Where a window lies in another picture: ``scale`` times as large, its centre moved.

    Attributes:
        scale: 1 for a shift, below 1 in the picture that the other one was cropped from.
        down, right: of the centre, as a share of the side.
    """

    scale: float = 1.0
    down: float = 0.0
    right: float = 0.0


def thumbnail(pixels: Pixels) -> NDArray[np.uint8]:
    """A picture of any size as grey and square, uint8 (SIDE, SIDE)."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("L")
    if image.size != (SIDE, SIDE):
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image)


def coordinates(place: float, scale: float, points: int = _POINTS) -> NDArray[np.float64]:
    """Where the points of a window lie in a thumbnail, in pixels (points,)."""
    within = (np.arange(points) + 0.5) / points - 0.5
    return (0.5 + place + scale * (1 - 2 * MARGIN) * within) * SIDE - 0.5


class Projection:
    """Descriptors of thumbnails, with ``frequencies`` cosine coefficients in each direction.

    Args:
        emphasis: power of the frequency that a coefficient is weighted by; light falls off with
            frequency, so that 0 lets the lowest decide.
    """

    def __init__(self, frequencies: int, emphasis: float) -> None:
        number = np.arange(frequencies)
        size = np.sqrt(number[:, None] ** 2 + number[None] ** 2)
        self._frequencies = frequencies
        self._weights = (size**emphasis).astype(np.float32)
        columns = np.broadcast_to(number[None], size.shape)
        kept = size > 0
        self._even = np.flatnonzero((kept & (columns % 2 == 0)).ravel())
        self._odd = np.flatnonzero((kept & (columns % 2 == 1)).ravel())

    def __call__(
        self, thumbnails: NDArray[np.uint8], place: Placement | None = None
    ) -> tuple[Floats, Floats]:
        """Even and odd part of the descriptors (n, e) and (n, o); together of unit length.

        Args:
            thumbnails: uint8 (n, SIDE, SIDE).
            place: of the window; the middle by default.
        """
        place = place or Placement()
        rows = self._basis(place.down, place.scale)
        columns = self._basis(place.right, place.scale)
        pattern = rows @ (thumbnails.astype(np.float32) @ columns.T)
        flat = (pattern * self._weights).reshape(len(thumbnails), -1)
        even, odd = flat[:, self._even], flat[:, self._odd]
        length = np.sqrt((even**2).sum(1) + (odd**2).sum(1))[:, None]
        length[length == 0] = 1
        return even / length, odd / length

    def _basis(self, place: float, scale: float) -> Floats:
        """Cosines over a window, as weights of a thumbnail's pixels (frequencies, SIDE)."""
        at = np.clip(coordinates(place, scale), 0, SIDE - 1)
        low = np.minimum(at.astype(int), SIDE - 2)
        share = at - low
        sampling = np.zeros((_POINTS, SIDE))
        sampling[np.arange(_POINTS), low] = 1 - share
        sampling[np.arange(_POINTS), low + 1] += share
        number = np.arange(self._frequencies)[:, None]
        cosines = np.cos(np.pi * number * (np.arange(_POINTS) + 0.5) / _POINTS)
        cosines[0] /= np.sqrt(2)
        basis: Floats = (cosines @ sampling).astype(np.float32)
        return basis
