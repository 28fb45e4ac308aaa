"""Boxes and labels drawn on a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_tune.data.pixels import Pixels
from fer_tune.escaping import one_line
from fer_tune.serving.video.following import TrackedFace
from fer_tune.serving.video.palette import GREY, colour_of, ink_on

#: Text height as a share of the frame's shorter side, and its limits in pixels.
_TEXT_SHARE, _LEAST_TEXT, _MOST_TEXT = 1 / 24, 11, 96
_SMALLEST_TEXT = 8
_ELLIPSIS = "…"
_BETWEEN = "#202020"

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How a face is marked.

    Attributes:
        box: left, top, right, bottom in whole pixels, inside the frame.
        texts: for the label, the longest first; the first that fits is used.
        colour: ``#rrggbb``.
        dashed: of an uncertain prediction.
    """

    box: tuple[int, int, int, int]
    texts: tuple[str, ...]
    colour: str
    dashed: bool


class Annotator:
    """Draws the faces of a video.

    A box is as wide as its lines; labels stand above, or below or inside where there is no room.
    Uncertain predictions have grey dashed boxes and a question mark.

    Args:
        classes: names, in the order of their colours.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._colours: Mapping[str, str] = {
            name: colour_of(number) for number, name in enumerate(classes)
        }

    def annotated(self, pixels: Pixels, faces: Sequence[TrackedFace]) -> Pixels:
        """A copy of a frame, uint8 (h, w, 3), with a box and a label for every face."""
        if not faces:
            return pixels
        image = Image.fromarray(pixels)
        draw = ImageDraw.Draw(image)
        # The largest comes last, so that its label is whole.
        marks = [self.mark(one, image.size) for one in faces][::-1]
        for mark in marks:
            _box(draw, mark, _line_width(image.size))
        for mark in marks:
            _label(draw, mark, image.size)
        return np.asarray(image)

    def mark(self, face: TrackedFace, size: tuple[int, int]) -> Mark:
        """How a face is marked in a frame of that width and height."""
        width, height = size
        left, top, right, bottom = face.box
        name, doubt = one_line(face.expression), "?" if face.uncertain else ""
        return Mark(
            box=(
                *(_within(left, width), _within(top, height)),
                *(_within(right - 1, width), _within(bottom - 1, height)),
            ),
            texts=(f"{face.lane} {name}{doubt} {face.probability:.0%}", f"{name}{doubt}"),
            colour=GREY if face.uncertain else self._colours[face.expression],
            dashed=face.uncertain,
        )


def _within(edge: float, side: int) -> int:
    return min(max(round(edge), 0), side - 1)


def _line_width(size: tuple[int, int]) -> int:
    return max(1, round(min(size) / 180))


def _box(draw: ImageDraw.ImageDraw, mark: Mark, width: int) -> None:
    left, top, right, bottom = mark.box
    if right - left < 2 or bottom - top < 2:
        return
    if not mark.dashed:
        draw.rectangle(mark.box, outline=mark.colour, width=width)
        return
    # Dark between the dashes, so that they are seen on any background.
    draw.rectangle(mark.box, outline=_BETWEEN, width=width)
    dash = 4 * width
    inner_right, inner_bottom = right - width + 1, bottom - width + 1
    for x in range(left, right + 1, 2 * dash):
        end = min(x + dash, right)
        draw.rectangle((x, top, end, top + width - 1), fill=mark.colour)
        draw.rectangle((x, inner_bottom, end, bottom), fill=mark.colour)
    for y in range(top, bottom + 1, 2 * dash):
        end = min(y + dash, bottom)
        draw.rectangle((left, y, left + width - 1, end), fill=mark.colour)
        draw.rectangle((inner_right, y, right, end), fill=mark.colour)


def _label(draw: ImageDraw.ImageDraw, mark: Mark, size: tuple[int, int]) -> None:
    wide, high = size
    wanted = round(min(max(min(size) * _TEXT_SHARE, _LEAST_TEXT), _MOST_TEXT))
    text, font = _fitting(mark.texts, wanted, wide)
    pad = max(1, round(font.size / 5))
    ascent, descent = font.getmetrics()
    width, height = round(font.getlength(text)) + 2 * pad, ascent + descent + pad
    left, top, _, bottom = mark.box
    x = max(0, min(left, wide - width))
    if top >= height:
        y = top - height
    elif bottom + 1 + height <= high:
        y = bottom + 1
    else:
        y = top
    draw.rectangle((x, y, min(x + width, wide) - 1, min(y + height, high) - 1), fill=mark.colour)
    draw.text((x + pad, y + pad // 2), text, font=font, fill=ink_on(mark.colour))


def _fitting(texts: Sequence[str], wanted: int, room: int) -> tuple[str, Font]:
    """The longest text that fits into ``room`` pixels, smaller if need be, or else cut off."""
    for text in texts:
        for size in (wanted, max(_SMALLEST_TEXT, round(wanted * 0.75))):
            if _needs(text, size) <= room:
                return text, _font(size)
    size = min(wanted, _SMALLEST_TEXT)
    text = texts[-1]
    while text and _needs(text + _ELLIPSIS, size) > room:
        text = text[:-1]
    return (text + _ELLIPSIS if text else ""), _font(size)


def _needs(text: str, size: int) -> float:
    return _font(size).getlength(text) + 2 * max(1, round(size / 5))


@lru_cache(maxsize=32)
def _font(size: int) -> Font:
    """DejaVu Sans, which has letters of many scripts; Matplotlib brings it."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")
    return ImageFont.truetype(str(path), size)
