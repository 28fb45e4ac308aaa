"""The constants of the crop agree with real training pictures, where those are at hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.faces.training_faces import framed, pictures
from fer_tune.serving.faces.mtcnn import Mtcnn, Settings
from fer_tune.serving.faces.registration import frame_of
from tests.conftest import SAMPLE


@pytest.mark.sample
def test_the_crop_of_a_training_picture_is_that_picture() -> None:
    pytest.importorskip("onnxruntime", reason="faces are found by onnxruntime, extra `faces`")
    source = SAMPLE / "facial-recognition-sample.zip"
    if not source.is_file():
        pytest.skip("no real pictures beside this checkout (../shared/data)")
    detector = Mtcnn(Settings(smallest=60), threads=1)
    frames = []
    for picture in pictures(source, 60, seed=7):
        whole, side = framed(picture, share=0.25)
        if faces := detector.detect(whole):
            border, frame = (len(whole) - side) / 2, frame_of(faces[0])
            frames.append(np.array([frame.x - border, frame.y - border, frame.side]) / side)
    assert len(frames) > 45
    middle = np.median(frames, axis=0)
    np.testing.assert_allclose(middle, (0.5, 0.5, 1.0), atol=0.05)
