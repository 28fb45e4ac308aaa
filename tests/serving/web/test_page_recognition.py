"""The page's recognition on onnxruntime-web, without a browser, against Python's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_tune.data.pixels import Pixels
from fer_tune.data.synthetic import generate
from fer_tune.serving.faces import Mode
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.mtcnn import Mtcnn, Settings
from fer_tune.serving.prediction import FaceReader
from fer_tune.serving.predictor import Predictor
from fer_tune.serving.web.folder import write_page
from tests.serving.web.javascript import recognised
from tests.serving.web.pages import astronaut, small_page, tiny

pytestmark = pytest.mark.slow

#: Largest difference of a probability.
LIMIT = 0.005


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    models = [tiny("densenet161", 1), tiny("resnet152", 3)]
    write_page(small_page(folder, models), folder / "page")
    return folder / "page"


def pictures() -> list[Pixels]:
    """A photograph in several sizes, two faces, no face, and drawn faces."""
    photograph = Image.fromarray(astronaut())
    turned = photograph.rotate(20, Image.Resampling.BICUBIC)
    found = [photograph, photograph.resize((400, 300)), photograph.resize((1600, 1200)), turned]
    both = Image.new("RGB", (900, 480))
    both.paste(photograph, (-60, 0))
    both.paste(photograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (300, 40))
    found += [both, photograph.crop((200, 20, 370, 200)), Image.new("RGB", (300, 200), "grey")]
    drawn = [np.repeat(pixels, 3, axis=2) for pixels, _, _ in generate(6, 0)]
    return [*map(np.asarray, found), *drawn]


def test_pictures_get_the_probabilities_of_python(page: Path) -> None:
    given = pictures()
    found = recognised(page, given)
    mode: Mode = "auto"
    for place, arm in enumerate([tiny("densenet161", 1), tiny("resnet152", 3)]):
        reader = FaceReader(predictor=Predictor(arm), detector=Mtcnn(), mode=mode)
        for pixels, one in zip(given, found, strict=True):
            expected = reader.faces(reader.crops(pixels))
            assert len(one["faces"]) == len(expected)
            for face, wanted in zip(one["faces"], expected, strict=True):
                assert (face["box"] is None) == (wanted.face is None)
                if wanted.face is not None:
                    np.testing.assert_allclose(face["box"], wanted.face.box, atol=0.05)
                np.testing.assert_allclose(face["rows"][place], wanted.probabilities, atol=LIMIT)


def test_landmarks_are_those_of_python(page: Path) -> None:
    """Faces at many places: squares of whole pixels may be a pixel higher than wide."""
    face = Image.fromarray(astronaut()).crop((220, 30, 350, 200))
    given = []
    for number in range(12):
        canvas = Image.new("RGB", (260, 240), (110, 120, 130))
        canvas.paste(face.resize((100 + 3 * number, 131 + 4 * number)), (20 + number, 15 + number))
        given.append(np.asarray(canvas))
    for pixels, one in zip(given, recognised(page, given), strict=True):
        expected = Mtcnn().detect(pixels)
        assert expected and len(one["detected"]) == len(expected)
        for found, wanted in zip(one["detected"], expected, strict=True):
            np.testing.assert_allclose(found["landmarks"], wanted.landmarks, atol=0.02)


def test_frames_are_searched_as_python_would_and_followed_closely(page: Path) -> None:
    given = [astronaut(), np.asarray(Image.fromarray(astronaut()).resize((1280, 960)))]
    found = recognised(page, given, video=True)
    detector = Mtcnn(Settings(smallest=32, longest=320))
    for pixels, one in zip(given, found, strict=True):
        expected = detector.detect(pixels)
        boxes = np.array([face["box"] for face in one["detected"]])
        np.testing.assert_allclose(boxes, [face.box for face in expected], atol=0.5)
        followed = np.array([face["box"] for face in one["followed"]])
        assert iou(boxes[0], followed)[0] > 0.85
        points = [np.array(one[kind][0]["landmarks"]) for kind in ("detected", "followed")]
        assert np.abs(points[0] - points[1]).max() < 0.05 * np.ptp(boxes[0, ::2])
