"""The real sample of training pictures, for measurements of the face detector."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data.pixels import Pixels, decode
from fer_tune.serving.faces.interface import Face

DEFAULT = Path(__file__).resolve().parents[2] / "../shared/data/facial-recognition-sample.zip"
#: A training picture is enlarged so many times before it is shown to the detector.
ENLARGED = 4


def pictures(source: Path, count: int, seed: int) -> list[Pixels]:
    """``count`` pictures of a zip, uint8 (h, w, 1), drawn without replacement; exits without it."""
    if not source.is_file():
        sys.exit(f"{source} is not there: give --source, a zip of training pictures")
    with zipfile.ZipFile(source) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith((".jpg", ".png")))
        order = np.random.default_rng(seed).permutation(len(names))[:count]
        return [decode(io.BytesIO(archive.read(names[i])))[:, :, :1] for i in order]


def enlarged(picture: Pixels, side: int) -> Pixels:
    """The picture as uint8 (side, side, 1), bicubic."""
    image = Image.fromarray(picture[:, :, 0])
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))[:, :, None]


def framed(picture: Pixels, share: float, degrees: float = 0.0) -> tuple[Pixels, int]:
    """The picture enlarged, its edge repeated round it, and turned counter-clockwise.

    Args:
        share: width of the border, relative to the picture's side.

    Returns:
        uint8 (s, s, 1) and the side of the enlarged picture in its middle.
    """
    side = ENLARGED * picture.shape[0]
    border = round(share * side)
    padded = np.pad(enlarged(picture, side)[:, :, 0], border, mode="edge")
    turned = Image.fromarray(padded).rotate(
        degrees, Image.Resampling.BICUBIC, fillcolor=int(picture.mean())
    )
    return np.asarray(turned)[:, :, None], side


def relative(face: Face, whole: int, side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Box (4) and landmarks (5, 2) in shares of a picture of ``side`` amid one of ``whole``."""
    assert face.landmarks is not None
    border = (whole - side) / 2
    return (np.array(face.box) - border) / side, (face.landmarks - border) / side
