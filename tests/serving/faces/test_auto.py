"""The rule of `--faces`: whole picture, crops, or none."""

from __future__ import annotations

import numpy as np
import pytest

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces import Face, Mode, crop_face, faces_of, rule
from fer_tune.serving.faces.auto import filled, whole_limit
from fer_tune.serving.faces.mtcnn import Mtcnn
from tests.serving.faces.conftest import scaled
from tests.serving.faces.fakes import FakeDetector, typical_face


def picture(height: int, width: int, channels: int = 3) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


SMALL = whole_limit(48)


@pytest.mark.parametrize("side", [1, 48, SMALL, 500])
def test_never_takes_the_whole_picture_and_asks_nobody(side: int) -> None:
    detector = FakeDetector([typical_face(0, 0, side)])
    shown = picture(side, side)
    (found,) = faces_of(shown, "never", detector)
    assert found.pixels is shown and found.face is None and detector.asked == 0


@pytest.mark.parametrize("shape", [(1, 1), (48, 48), (SMALL, SMALL), (10, SMALL)])
def test_auto_takes_a_small_picture_as_a_whole(shape: tuple[int, int]) -> None:
    detector = FakeDetector()
    (found,) = faces_of(picture(*shape), "auto", detector)
    assert found.face is None and detector.asked == 0


@pytest.mark.parametrize("shape", [(SMALL + 1, 20), (20, SMALL + 1), (300, 300)])
def test_auto_looks_for_faces_in_a_larger_one(shape: tuple[int, int]) -> None:
    detector = FakeDetector()
    assert faces_of(picture(*shape), "auto", detector) == [] and detector.asked == 1


def test_auto_takes_a_picture_that_its_only_face_fills_as_a_whole() -> None:
    shown = picture(200, 200)
    (found,) = faces_of(shown, "auto", FakeDetector([typical_face(0, 0, 200)]))
    assert found.pixels is shown and found.face is None


@pytest.mark.parametrize(
    "faces",
    [
        [typical_face(50, 50, 100)],
        [typical_face(0, 0, 200), typical_face(10, 10, 40)],
        [typical_face(-100, -100, 400)],
    ],
    ids=["small", "two", "part of a face"],
)
def test_auto_crops_otherwise(faces: list[Face]) -> None:
    shown = picture(200, 200)
    found = faces_of(shown, "auto", FakeDetector(faces))
    assert [one.face for one in found] == faces
    for one, face in zip(found, faces, strict=True):
        np.testing.assert_array_equal(one.pixels, crop_face(shown, face))


@pytest.mark.parametrize("side", [48, 200])
@pytest.mark.parametrize("channels", [1, 3])
def test_always_crops_even_a_small_picture(side: int, channels: int) -> None:
    face = typical_face(0, 0, side)
    (found,) = faces_of(picture(side, side, channels), "always", FakeDetector([face]), side=64)
    assert found.face is face and found.pixels.shape == (64, 64, channels)


@pytest.mark.parametrize("mode", ["auto", "always"])
def test_no_face_is_an_empty_list(mode: Mode) -> None:
    assert faces_of(picture(200, 200), mode, FakeDetector()) == []


def test_the_rule_names_its_limit() -> None:
    assert str(SMALL) in rule()


@pytest.mark.parametrize(("side", "share"), [(100, 1.0), (200, 0.25)])
def test_filled_is_the_overlap_of_crop_and_picture(side: int, share: float) -> None:
    assert filled(picture(side, side), typical_face(0, 0, 100)) == pytest.approx(share, abs=0.03)


def test_auto_on_a_photograph_and_on_a_crop_of_it(detector: Mtcnn, astronaut: Pixels) -> None:
    found = faces_of(astronaut, "auto", detector)
    assert found[0].face is not None and found[0].pixels.shape == (48, 48, 3)
    crop = scaled(np.ascontiguousarray(astronaut[67:179, 169:281]), 2.0)
    (whole,) = faces_of(crop, "auto", detector)
    assert whole.face is None and whole.pixels is crop
