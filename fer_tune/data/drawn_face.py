"""One drawn face: an expression, a sitter, a pose and a light become grey pixels.

Face coordinates: the origin is the middle of the head, x grows to the picture's right, y
downwards, and the head is about two units wide. Tones run from 0 (black) to 1 (white).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Points = NDArray[np.float64]

#: Drawn this many times larger, then reduced, so that edges are soft.
SUPERSAMPLE = 4


@dataclass(frozen=True, kw_only=True)
class Expression:
    """What the muscles do; lengths in face units.

    Attributes:
        mouth_curve: how far the corners stand above the middle (negative: below).
        mouth_open: height of the opening.
        mouth_width: corner to corner.
        mouth_square: 0 for a pointed opening, 1 for a stretched, angular one.
        brow_raise: of the whole brow.
        brow_tilt: how far the inner end stands above the outer one (negative: frown).
        brow_arch: height of the brow's bow.
        eye_open: height of the eye.
        teeth: tone added to the opening, 0 (dark) to 1 (bared teeth).
    """

    mouth_curve: float
    mouth_open: float
    mouth_width: float
    mouth_square: float
    brow_raise: float
    brow_tilt: float
    brow_arch: float
    eye_open: float
    teeth: float

    def towards(self, other: Expression, share: float) -> Expression:
        """The expression ``share`` of the way to ``other`` (0: this one, 1: the other)."""
        blend = {
            field.name: (1 - share) * getattr(self, field.name) + share * getattr(other, field.name)
            for field in fields(self)
        }
        return Expression(**blend)


EXPRESSIONS = {
    "angry": Expression(
        mouth_curve=-0.10, mouth_open=0.26, mouth_width=0.80, mouth_square=1.0,
        brow_raise=-0.16, brow_tilt=-0.36, brow_arch=0.0, eye_open=0.20, teeth=1.0,
    ),
    "fear": Expression(
        mouth_curve=-0.16, mouth_open=0.34, mouth_width=0.86, mouth_square=0.7,
        brow_raise=0.16, brow_tilt=0.26, brow_arch=0.02, eye_open=0.46, teeth=0.0,
    ),
    "happy": Expression(
        mouth_curve=0.32, mouth_open=0.30, mouth_width=1.00, mouth_square=0.0,
        brow_raise=0.04, brow_tilt=0.0, brow_arch=0.12, eye_open=0.22, teeth=0.9,
    ),
    "neutral": Expression(
        mouth_curve=0.0, mouth_open=0.0, mouth_width=0.66, mouth_square=0.0,
        brow_raise=0.0, brow_tilt=0.0, brow_arch=0.05, eye_open=0.28, teeth=0.0,
    ),
    "sad": Expression(
        mouth_curve=-0.30, mouth_open=0.02, mouth_width=0.72, mouth_square=0.0,
        brow_raise=0.02, brow_tilt=0.36, brow_arch=0.0, eye_open=0.16, teeth=0.0,
    ),
    "surprise": Expression(
        mouth_curve=0.0, mouth_open=0.56, mouth_width=0.46, mouth_square=0.3,
        brow_raise=0.24, brow_tilt=0.0, brow_arch=0.20, eye_open=0.46, teeth=0.0,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sitter:
    """Who is drawn, in which pose, light and manner.

    Attributes:
        shift: of the head's middle from the picture's, in picture sides (x, y).
        turn: rotation in the picture plane, in radians.
        scale: half the head's width, in picture sides.
        yaw: turn of the head to the side, -1 to 1; moves the features across the face.
        proportions: half height of the head, jaw width and eye distance, in face units.
        skin, hair, backdrop, ink: tones.
        hair_length: 0 (bald) to 1 (past the jaw).
        stroke: line width, in face units.
        glasses: whether lenses frame the eyes.
        light: direction of the light's gradient, in radians.
        light_strength: 0 (even) to 1 (the far side is black).
        blotches: tones of four discs behind the head.
    """

    shift: tuple[float, float]
    turn: float
    scale: float
    yaw: float
    proportions: tuple[float, float, float]
    skin: float
    hair: float
    backdrop: float
    ink: float
    hair_length: float
    stroke: float
    glasses: bool
    light: float
    light_strength: float
    blotches: tuple[float, float, float, float]


def draw_face(expression: Expression, sitter: Sitter, side: int) -> NDArray[np.float64]:
    """Draws one face without noise.

    Returns:
        Tones (side, side) in [0, 1].
    """
    canvas = _Canvas(side * SUPERSAMPLE, sitter)
    _draw_backdrop(canvas, sitter)
    _draw_head(canvas, sitter)
    for mirror in (-1.0, 1.0):
        _draw_eye(canvas, expression, sitter, mirror)
        _draw_brow(canvas, expression, sitter, mirror)
    _draw_nose(canvas, sitter)
    _draw_mouth(canvas, expression, sitter)
    return _lit(canvas.reduced(), sitter)


class _Canvas:
    """A grey Pillow picture that takes face coordinates."""

    def __init__(self, side: int, sitter: Sitter) -> None:
        self.image = Image.new("L", (side, side), _level(sitter.backdrop))
        self._pen = ImageDraw.Draw(self.image)
        self._unit = sitter.scale * side
        cosine, sine = np.cos(sitter.turn), np.sin(sitter.turn)
        self._matrix = self._unit * np.array([[cosine, sine], [-sine, cosine]])
        self._origin = side * (0.5 + np.array(sitter.shift))

    def fill(self, outline: Points, tone: float) -> None:
        self._pen.polygon(self._placed(outline), fill=_level(tone))

    def stroke(self, line: Points, tone: float, width: float) -> None:
        pixels = max(SUPERSAMPLE, round(width * self._unit))
        placed = self._placed(line)
        self._pen.line(placed, fill=_level(tone), width=pixels, joint="curve")
        for x, y in (placed[0], placed[-1]):
            radius = pixels / 2
            self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), _level(tone))

    def reduced(self) -> NDArray[np.float64]:
        return np.asarray(self.image.reduce(SUPERSAMPLE), dtype=np.float64) / 255

    def _placed(self, points: Points) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in points @ self._matrix + self._origin]


def _level(tone: float) -> int:
    return int(np.clip(round(255 * tone), 0, 255))


def _ellipse(x: float, y: float, width: float, height: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.stack([x + width / 2 * np.cos(angle), y + height / 2 * np.sin(angle)], axis=1)


def _draw_backdrop(canvas: _Canvas, sitter: Sitter) -> None:
    places = ((-1.5, -1.2), (1.4, -1.0), (-1.4, 1.3), (1.5, 1.2))
    for (x, y), tone in zip(places, sitter.blotches, strict=True):
        canvas.fill(_ellipse(x, y, 1.6, 1.8), tone)


def _draw_head(canvas: _Canvas, sitter: Sitter) -> None:
    tall, jaw, _ = sitter.proportions
    if sitter.hair_length > 0:
        canvas.fill(_ellipse(0, -0.18, 2.34, 2.2 * tall), sitter.hair)
        drop = -0.2 + 1.4 * sitter.hair_length
        canvas.fill(np.array([(-1.17, -0.3), (1.17, -0.3), (1.1, drop), (-1.1, drop)]), sitter.hair)
    canvas.fill(np.array([(-0.4, 0.5), (0.4, 0.5), (0.5, 2.2), (-0.5, 2.2)]), sitter.skin * 0.88)
    outline = _ellipse(0, 0, 2.0, 2 * tall)
    below = outline[:, 1] > 0
    outline[below, 0] *= 1 - (1 - jaw) * outline[below, 1] / tall
    canvas.fill(outline, sitter.skin)
    if sitter.hair_length > 0:
        angle = np.linspace(np.pi * 1.22, np.pi * 1.78, 24)
        fringe = np.stack([np.cos(angle) * 1.02, np.sin(angle) * tall * 1.03], axis=1)
        canvas.fill(fringe, sitter.hair)


def _draw_eye(canvas: _Canvas, face: Expression, sitter: Sitter, mirror: float) -> None:
    x = mirror * sitter.proportions[2] + 0.16 * sitter.yaw
    dark, light = min(sitter.ink, 0.2), max(0.92, sitter.skin + 0.1)
    canvas.fill(_ellipse(x, -0.14, 0.48, face.eye_open + 0.10), dark)
    canvas.fill(_ellipse(x, -0.14, 0.40, face.eye_open), light)
    pupil = min(0.20, face.eye_open)
    canvas.fill(_ellipse(x + 0.05 * sitter.yaw, -0.14, pupil, pupil), dark)
    if sitter.glasses:
        ring = _ellipse(x, -0.12, 0.66, 0.60)
        canvas.stroke(np.vstack([ring, ring[:1]]), sitter.ink, 0.05)


def _draw_brow(canvas: _Canvas, face: Expression, sitter: Sitter, mirror: float) -> None:
    along = np.linspace(-1, 1, 9)  # -1 is the inner end
    inner = sitter.proportions[2] - 0.27
    x = mirror * (inner + 0.27 * (along + 1)) + 0.16 * sitter.yaw
    y = -0.50 - face.brow_raise + face.brow_tilt * along / 2 - face.brow_arch * (1 - along**2)
    canvas.stroke(np.stack([x, y], axis=1), sitter.ink, 1.3 * sitter.stroke)


def _draw_nose(canvas: _Canvas, sitter: Sitter) -> None:
    bridge = 0.24 * sitter.yaw
    line = np.array([(bridge, -0.05), (bridge + 0.10, 0.24), (bridge - 0.06, 0.27)])
    canvas.stroke(line, 0.6 * sitter.skin + 0.4 * sitter.ink, 0.6 * sitter.stroke)


def _draw_mouth(canvas: _Canvas, face: Expression, sitter: Sitter) -> None:
    along = np.linspace(-1, 1, 25)
    x = along * face.mouth_width / 2 + 0.18 * sitter.yaw
    middle = 0.62 + face.mouth_curve * (0.5 - along**2)
    bulge = np.sqrt(1 - along**2) * (1 - face.mouth_square)
    bulge = bulge + face.mouth_square * (1 - along**6)
    upper = np.stack([x, middle - 0.5 * face.mouth_open * bulge], axis=1)
    lower = np.stack([x, middle + 0.5 * face.mouth_open * bulge], axis=1)
    if face.mouth_open > 0.08:
        inside = 0.08 + 0.86 * min(1.0, face.teeth)
        canvas.fill(np.vstack([upper, lower[::-1]]), inside)
    canvas.stroke(upper, sitter.ink, sitter.stroke)
    canvas.stroke(lower, sitter.ink, sitter.stroke)


def _lit(tones: NDArray[np.float64], sitter: Sitter) -> NDArray[np.float64]:
    side = tones.shape[0]
    across = (np.arange(side) + 0.5) / side - 0.5
    ramp = np.cos(sitter.light) * across[None, :] + np.sin(sitter.light) * across[:, None]
    shade = 1 - sitter.light_strength * (0.5 + ramp / np.sqrt(2))
    lit: NDArray[np.float64] = np.clip(tones * shade, 0, 1)
    return lit
