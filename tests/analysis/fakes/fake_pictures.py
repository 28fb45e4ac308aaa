"""Small drawn faces, one per test picture: crude, of nobody, a few hundred bytes each."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_SIDE = 48
#: By class: mouth corners (up is positive), mouth opening, brow tilt (frown is positive), eyes.
_FACES = (
    (-3, 3, 3, 2),
    (-2, 6, -3, 4),
    (6, 3, 0, 2),
    (0, 0, 0, 3),
    (-6, 0, -2, 2),
    (0, 9, -2, 5),
)


def thumbnails(
    pictures: list[str],
    truth: NDArray[np.int64],
    blank: NDArray[np.bool_],
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Rows of the ``thumbnails`` table."""
    return [
        {"picture": picture, "png": _png(None if empty else int(label), rng)}
        for picture, label, empty in zip(pictures, truth, blank, strict=True)
    ]


def _png(label: int | None, rng: np.random.Generator) -> bytes:
    ground, skin, ink = (int(x) for x in (rng.integers(20, 70), rng.integers(130, 230), 15))
    image = Image.new("L", (_SIDE, _SIDE), ground)
    if label is not None:
        _draw(ImageDraw.Draw(image), _FACES[label], skin, ink, rng)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _draw(
    pen: ImageDraw.ImageDraw,
    face: tuple[int, int, int, int],
    skin: int,
    ink: int,
    rng: np.random.Generator,
) -> None:
    corner, opening, tilt, eye = face
    x, y = 24 + int(rng.integers(-3, 4)), 25 + int(rng.integers(-2, 3))
    wide = 15 + int(rng.integers(0, 4))
    pen.ellipse((x - wide, y - 20, x + wide, y + 20), fill=skin)
    for side in (-1, 1):
        at = x + 7 * side
        pen.ellipse((at - 3, y - 5 - eye // 2, at + 3, y - 5 + (eye + 1) // 2), fill=ink)
        brow = y - 12
        pen.line((at - 4 * side, brow + tilt, at + 4 * side, brow - tilt), fill=ink, width=2)
    mouth = y + 10
    if opening > 2:
        pen.ellipse((x - 6, mouth - opening // 2, x + 6, mouth + (opening + 1) // 2), fill=ink)
    pen.line(
        [(x - 8, mouth - corner), (x - 3, mouth), (x + 3, mouth), (x + 8, mouth - corner)],
        fill=ink,
        width=2,
    )
