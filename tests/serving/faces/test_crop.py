"""Crops: the same face gives the same crop, wherever and however it lies in the picture."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces import Face, crop_face
from fer_tune.serving.faces.crop import cut_out
from fer_tune.serving.faces.mtcnn import Mtcnn
from fer_tune.serving.faces.registration import (
    LEAVE_ROLL,
    LEVEL_ROLL,
    Frame,
    frame_of,
    roll,
    undone,
)
from tests.serving.faces.conftest import POINTS, scaled, shifted, turned, turned_points
from tests.serving.faces.fakes import TYPICAL, typical_face


def likeness(one: Pixels, other: Pixels) -> float:
    return float(np.corrcoef(one.ravel().astype(float), other.ravel().astype(float))[0, 1])


def of_points(points: np.ndarray) -> Face:
    """A face with such landmarks, and the box that the median training picture has for them."""
    side = 1.88 * np.linalg.norm(points - points.mean(axis=0))
    x, y = points.mean(axis=0)
    box = (x - 0.4 * side, y - 0.6 * side, x + 0.4 * side, y + 0.44 * side)
    return Face(box=box, score=1.0, landmarks=points)


# -- the frame ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "top", "side"), [(0.0, 0.0, 48.0), (100.0, 31.5, 200.0)])
def test_a_typical_training_face_gives_back_its_picture(
    left: float, top: float, side: float
) -> None:
    face = typical_face(left, top, side)
    for found in (frame_of(face), frame_of(Face(box=face.box, score=face.score))):
        assert found.side == pytest.approx(side, rel=0.02)
        assert (found.x, found.y) == pytest.approx(
            (left + side / 2, top + side / 2), abs=0.02 * side
        )
        assert abs(found.turn) < 1e-9


@pytest.mark.parametrize("degrees", [-60, -30, -16, 16, 30, 60])
def test_the_eyes_of_a_tilted_face_become_level(degrees: float) -> None:
    points = turned_points(TYPICAL * 100, degrees, 100)
    face = of_points(points)
    assert math.degrees(roll(points)) == pytest.approx(-degrees)
    np.testing.assert_allclose(frame_of(face).shares(points), TYPICAL, atol=0.02)


def test_a_small_tilt_is_left_and_the_rule_does_not_jump() -> None:
    angles = np.radians(np.linspace(-90, 90, 1801))
    parts = np.array([undone(angle) for angle in angles])
    assert not parts[np.abs(angles) <= math.radians(LEAVE_ROLL)].any()
    large = np.abs(angles) >= math.radians(LEVEL_ROLL) + 1e-9
    np.testing.assert_allclose(parts[large], angles[large])
    assert np.abs(np.diff(parts)).max() < math.radians(0.3)
    np.testing.assert_allclose(parts, -parts[::-1], atol=1e-12)


@pytest.mark.parametrize(
    "points", [np.zeros((5, 2)), np.full((5, 2), 7.0), TYPICAL * 1e4], ids=["none", "one", "huge"]
)
def test_landmarks_that_contradict_the_box_do_not_set_the_side(points: np.ndarray) -> None:
    box = (10.0, 10.0, 50.0, 62.0)
    by_box = frame_of(Face(box=box, score=1.0)).side
    by_both = frame_of(Face(box=box, score=1.0, landmarks=points)).side
    assert by_box / 1.6 < by_both < by_box * 1.6


def test_shares_and_points_are_inverse() -> None:
    frame = Frame(x=30.0, y=40.0, side=17.0, turn=0.4)
    points = np.random.default_rng(0).uniform(-50, 50, (20, 2))
    np.testing.assert_allclose(frame.at(frame.shares(points)), points)


# -- cutting it out -------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_a_frame_of_whole_pixels_is_copied(channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, channels), dtype=np.uint8)
    crop = cut_out(picture, Frame(x=40.0, y=30.0, side=48.0), 48)
    np.testing.assert_array_equal(crop, picture[6:54, 16:64])


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    crop = cut_out(picture, Frame(x=10.0, y=35.0, side=40.0), 40)
    np.testing.assert_array_equal(
        crop, np.pad(picture, ((0, 20), (20, 0), (0, 0)), "edge")[15:55, 10:50]
    )


@pytest.mark.parametrize("place", [(-500.0, 5.0), (5.0, 900.0), (1e6, 1e6)])
def test_a_frame_beside_the_picture_shows_its_edge(place: tuple[float, float]) -> None:
    picture = np.full((10, 10, 1), 77, np.uint8)
    assert (cut_out(picture, Frame(x=place[0], y=place[1], side=30.0), 48) == 77).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("side", [0.01, 3.0, 5000.0])
def test_any_frame_of_any_picture_gives_a_crop(shape: tuple[int, int], side: float) -> None:
    picture = np.full((*shape, 3), 99, np.uint8)
    crop = cut_out(picture, Frame(x=0.5, y=0.5, side=side, turn=0.3), 48)
    assert crop.shape == (48, 48, 3) and crop.dtype == np.uint8 and (crop == 99).all()


@pytest.mark.parametrize("side", [150, 1000])
def test_a_large_face_is_reduced_without_aliasing(side: int) -> None:
    """Stripes of one pixel become grey; sampled without a filter they would become stripes."""
    picture = np.zeros((side, side, 1), np.uint8)
    picture[:, ::2] = 255
    crop = cut_out(picture, Frame(x=side / 2, y=side / 2, side=side - 8.0), 48)
    assert np.abs(crop.astype(float) - 127.5).max() < 30


def test_a_turned_frame_undoes_the_turn(astronaut: Pixels) -> None:
    centre = len(astronaut) / 2
    plain = cut_out(astronaut, Frame(x=centre, y=centre, side=200.0), 48)
    back = cut_out(
        turned(astronaut, 30), Frame(x=centre, y=centre, side=200.0, turn=math.radians(-30)), 48
    )
    assert likeness(plain, back) > 0.99


# -- the photograph -------------------------------------------------------------------------------


def crop_and_eyes(
    detector: Mtcnn, picture: Pixels, points: np.ndarray
) -> tuple[Pixels, np.ndarray]:
    """The crop of the largest face, and where the true eyes lie in it, in shares."""
    face = detector.detect(picture)[0]
    return crop_face(picture, face), frame_of(face).shares(points)[:2]


def assert_same(found: tuple[Pixels, np.ndarray], original: tuple[Pixels, np.ndarray]) -> None:
    assert np.abs(found[1] - original[1]).max() < 0.08  # four pixels of 48
    assert likeness(found[0], original[0]) > 0.8


@pytest.fixture(scope="module")
def original(detector: Mtcnn, astronaut: Pixels) -> tuple[Pixels, np.ndarray]:
    return crop_and_eyes(detector, astronaut, POINTS)


def test_the_astronaut_is_cropped_as_training_pictures_are(
    original: tuple[Pixels, np.ndarray],
) -> None:
    crop, eyes = original
    assert crop.shape == (48, 48, 3)
    np.testing.assert_allclose(eyes, TYPICAL[:2], atol=0.08)


def test_the_crop_of_a_shifted_face(
    detector: Mtcnn, astronaut: Pixels, original: tuple[Pixels, np.ndarray]
) -> None:
    for right, down in ((5, 3), (200, 77)):
        moved = shifted(astronaut, right, down)
        assert_same(crop_and_eyes(detector, moved, POINTS + np.array([right, down])), original)


@pytest.mark.parametrize("factor", [0.5, 0.75, 2.0])
def test_the_crop_of_a_scaled_face(
    detector: Mtcnn, astronaut: Pixels, original: tuple[Pixels, np.ndarray], factor: float
) -> None:
    resized = scaled(astronaut, factor)
    assert_same(crop_and_eyes(detector, resized, POINTS * factor), original)


@pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
def test_the_crop_of_a_turned_face(
    detector: Mtcnn, astronaut: Pixels, original: tuple[Pixels, np.ndarray], degrees: float
) -> None:
    points = turned_points(POINTS, degrees, len(astronaut))
    assert_same(crop_and_eyes(detector, turned(astronaut, degrees), points), original)
