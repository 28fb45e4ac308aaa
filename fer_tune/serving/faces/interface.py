"""What a face detector takes and gives, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.pixels import Pixels

#: Rows of ``Face.landmarks``; left and right are as seen in the picture.
LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")


#: Edges in pixels: left, top, right, bottom.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Face:
    """A detected face.

    Coordinates are in pixels from the top left corner of the picture, so that the centre of the
    first pixel is (0.5, 0.5). They may lie outside the picture, as a face may.

    Attributes:
        box: left, top, right, bottom.
        score: the detector's confidence, 0 to 1.
        landmarks: float (5, 2), x and y of each of ``LANDMARKS``; None of a detector without them.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float64] | None = None

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        return self.width * self.height


class Detector(Protocol):
    """Finds faces in a picture."""

    @property
    def name(self) -> str:
        """As in ``--detector``."""
        ...

    def detect(self, rgb: Pixels) -> list[Face]:
        """The faces of a picture, the largest first; none is a normal result.

        Args:
            rgb: uint8 (h, w, 3), or (h, w, 1) for a grey picture; any size from 1 × 1.
        """
        ...


def as_rgb(pixels: Pixels) -> Pixels:
    """uint8 (h, w, 3), C-contiguous: a grey picture's channel is repeated."""
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def largest_first(faces: Sequence[Face]) -> list[Face]:
    """``faces`` by area; of equal ones the more certain first."""
    return sorted(faces, key=lambda face: (-face.area, -face.score))
