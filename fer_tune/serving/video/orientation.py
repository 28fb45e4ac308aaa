"""Frames turned as the file says: phones record sideways and write down how to turn it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_tune.data.pixels import Pixels


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """How a decoded frame becomes the frame that is shown.

    Attributes:
        transposed: rows become columns; before the flips.
        flipped_across, flipped_down: left and right, top and bottom change places.
    """

    transposed: bool = False
    flipped_across: bool = False
    flipped_down: bool = False


def orientation_of(decoded: Any) -> Orientation:
    """The orientation of PyAV's frame ``decoded``: of its display matrix, if it has one."""
    data = next((d for d in decoded.side_data if d.type.name == "DISPLAYMATRIX"), None)
    content = b"" if data is None else bytes(data)
    if len(content) < 36:
        return Orientation()
    return orientation(struct.unpack("=9i", content[:36]))


def orientation(matrix: tuple[int, ...]) -> Orientation:
    """The multiple of a right angle that is nearest to a display matrix.

    Args:
        matrix: a, b, u, c, d, v, x, y, w of ISO/IEC 14496-12, 6.2.2: the point (p, q) is shown at
            (a·p + c·q + x, b·p + d·q + y).
    """
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(flipped_across=a < 0, flipped_down=d < 0)
    return Orientation(transposed=True, flipped_across=c < 0, flipped_down=b < 0)


def upright(rgb: Pixels, how: Orientation) -> Pixels:
    """uint8 (h, w, 3), C-contiguous; of a transposed frame h and w change places."""
    turned = rgb.swapaxes(0, 1) if how.transposed else rgb
    turned = turned[:, ::-1] if how.flipped_across else turned
    turned = turned[::-1] if how.flipped_down else turned
    return np.ascontiguousarray(turned)
