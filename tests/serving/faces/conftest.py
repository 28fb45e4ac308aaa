"""A photograph with one face, and the detector."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces import Face
from fer_tune.serving.faces.mtcnn import Mtcnn

#: By eye: temple to temple, fringe to chin; eyes, nose and mouth corners.
BOX = np.array([182.0, 66.0, 268.0, 178.0])
POINTS = np.array([(203, 101), (247, 103), (223, 126), (202, 140), (247, 140)], dtype=np.float64)


@pytest.fixture(scope="session")
def detector() -> Mtcnn:
    pytest.importorskip("onnxruntime", reason="faces are found by onnxruntime, extra `faces`")
    return Mtcnn(threads=1)


@pytest.fixture(scope="session")
def astronaut() -> Pixels:
    """uint8 (512, 512, 3)."""
    data = pytest.importorskip("skimage.data", reason="the photograph is scikit-image's")
    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def face(detector: Mtcnn, astronaut: Pixels) -> Face:
    """The astronaut's."""
    return detector.detect(astronaut)[0]


def turned(pixels: Pixels, degrees: float) -> Pixels:
    """About the centre, counter-clockwise."""
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC))


def scaled(pixels: Pixels, factor: float) -> Pixels:
    size = round(pixels.shape[1] * factor), round(pixels.shape[0] * factor)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def shifted(pixels: Pixels, right: int, down: int) -> Pixels:
    """On a larger grey canvas."""
    height, width, channels = pixels.shape
    canvas = np.full((height + down, width + right, channels), 128, np.uint8)
    canvas[down:, right:] = pixels
    return canvas


def turned_points(points: NDArray[np.float64], degrees: float, side: int) -> NDArray[np.float64]:
    """Where :func:`turned` takes points (n, 2) of a square picture."""
    angle = np.radians(-degrees)
    matrix = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    return (points - side / 2) @ matrix.T + side / 2
