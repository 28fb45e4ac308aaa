"""`fer` (Justin Shenk), mini-XCEPTION; its weights are in the wheel.

As by default, in 8-bit integers on TensorFlow Lite. The pictures are faces already, so that its
detector is left out, and with it the margin of 10 pixels that it adds around a detected face.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from fer.fer import FER
from pictures import Model, write_predictions


class _Unrounded(FER):
    """Keeps the scores before `fer` rounds them to two decimals, where classes would tie."""

    scores = np.empty(0)

    def _classify_emotions(self, gray_faces: np.ndarray) -> np.ndarray:
        self.scores = np.asarray(super()._classify_emotions(gray_faces))
        return self.scores


def load() -> Model:
    detector = _Unrounded(offsets=(0, 0))
    names = [name for _, name in sorted(detector._get_labels().items())]

    def scores(picture: np.ndarray) -> Mapping[str, float]:
        height, width = picture.shape[:2]
        detector.detect_emotions(picture[:, :, ::-1].copy(), [(0, 0, width, height)])
        return dict(zip(names, detector.scores[0].tolist(), strict=True))

    return scores


if __name__ == "__main__":
    write_predictions(load, __doc__)
