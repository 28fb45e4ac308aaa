"""Which part of a picture the network sees: the rule of ``--faces``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.crop import cut_out
from fer_tune.serving.faces.interface import Detector, Face
from fer_tune.serving.faces.registration import TRAINING_SIDE, Frame, frame_of

Mode = Literal["auto", "always", "never"]

#: A picture is a face if the crop of its only face covers so much of the union of both. Of larger
#: copies of training pictures, nine in ten do.
FILLS = 0.5


def whole_limit(side: int) -> int:
    """Longer side in pixels up to which ``auto`` takes a picture as a face.

    Args:
        side: of the pictures that the model was trained on, in pixels.
    """
    return 2 * side


def rule(side: int = TRAINING_SIDE) -> str:
    """The rule of ``auto`` in one sentence, for people; ``side`` as of :func:`whole_limit`."""
    return (
        f"pictures of at most {whole_limit(side)} pixels a side, and those that one face"
        " fills, are taken as a whole; in others each detected face is cropped"
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What the network sees of one face.

    Attributes:
        pixels: uint8 (h, w, c): a crop, or the whole picture.
        face: where it was detected; None of a picture that was taken as a whole.
    """

    pixels: Pixels
    face: Face | None


def faces_of(
    pixels: Pixels,
    mode: Mode,
    detector: Detector,
    *,
    side: int = TRAINING_SIDE,
) -> list[Found]:
    """The faces of a picture, the largest first; an empty list if it shows none.

    Args:
        pixels: uint8 (h, w, 1) or (h, w, 3).
        mode: ``never`` takes the whole picture for a face, ``always`` asks the detector; ``auto``
            decides by :func:`rule`.
        detector: not asked in mode ``never``, nor in ``auto`` for small pictures.
        side: of the pictures that the model was trained on, and so of the crops, in pixels.
    """
    whole = [Found(pixels=pixels, face=None)]
    if mode == "never" or (mode == "auto" and max(pixels.shape[:2]) <= whole_limit(side)):
        return whole
    faces = detector.detect(pixels)
    if mode == "auto" and len(faces) == 1 and filled(pixels, faces[0]) >= FILLS:
        return whole
    return [Found(pixels=cut_out(pixels, frame_of(face), side), face=face) for face in faces]


def filled(pixels: Pixels, face: Face) -> float:
    """How much the picture and the face's crop are the same: intersection over union, 0 to 1."""
    frame = frame_of(face)
    crop = Frame(x=frame.x, y=frame.y, side=frame.side).corners()[[0, 2]].ravel()
    height, width = pixels.shape[:2]
    return float(iou(crop, np.array([[0.0, 0.0, width, height]]))[0])
