"""YuNet, OpenCV's own face detector, for those who have OpenCV and its network.

Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector".
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fer_tune.data.pixels import Pixels
from fer_tune.errors import EnvironmentFault, UserError, reading
from fer_tune.serving.faces.interface import Face, as_rgb, largest_first

_REMEDY = "Give a face_detection_yunet_*.onnx of the OpenCV Zoo, as in yunet:PATH"
_FOREIGN = "not a YuNet network that this OpenCV can read"
#: Below it YuNet's scores mean little; OpenCV's default of 0.9 misses faces in the shade.
_SCORE, _OVERLAP = 0.7, 0.3
#: Longer side in pixels to which larger pictures are reduced.
_LONGEST = 1920
#: Shorter side in pixels to which smaller pictures are filled up with black: OpenCV 4.11 finds
#: boxes at infinity in pictures of a few rows.
_SHORTEST = 64
#: OpenCV's LOG_LEVEL_SILENT, which its Python module does not name.
_SILENCE = 0
#: Left, top, width, height, five points in our order, score.
_COLUMNS = 15


class YuNet:
    """The detector; see :class:`fer_tune.serving.faces.interface.Detector`."""

    name = "yunet"

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: YuNet's ONNX file.

        Raises:
            EnvironmentFault: OpenCV is not installed, or has no FaceDetectorYN.
            UserError: the file is missing, unreadable or not YuNet's.
        """
        cv2 = _opencv()
        with reading(path, UserError), path.open("rb") as file:
            empty = not file.read(1)
        if empty:
            raise UserError("not a YuNet network: it has 0 bytes", where=str(path), remedy=_REMEDY)
        self._cv2 = cv2
        with _silent(cv2):
            try:
                self._network = cv2.FaceDetectorYN.create(
                    str(path), "", (320, 320), _SCORE, _OVERLAP
                )
                # OpenCV reads other networks as well, and fails with the first picture.
                self._run(np.zeros((320, 320, 3), np.uint8))
            except (cv2.error, SystemError):
                raise UserError(_FOREIGN, where=str(path), remedy=_REMEDY) from None

    def detect(self, rgb: Pixels) -> list[Face]:
        """The faces of uint8 ``rgb`` (h, w, 3 or 1), the largest first; often none."""
        picture = as_rgb(rgb)
        height, width = picture.shape[:2]
        factor = min(1.0, _LONGEST / max(height, width))
        if factor < 1:
            size = max(1, round(width * factor)), max(1, round(height * factor))
            picture = self._cv2.resize(picture, size, interpolation=self._cv2.INTER_AREA)
        scale = np.array([width / picture.shape[1], height / picture.shape[0]])
        return largest_first([_face(row, scale) for row in self._run(picture)])

    def _run(self, picture: Pixels) -> Any:
        """YuNet's rows, float (n, 15)."""
        lacking = [(0, max(0, _SHORTEST - side)) for side in picture.shape[:2]]
        picture = np.pad(picture, [*lacking, (0, 0)])
        self._network.setInputSize((picture.shape[1], picture.shape[0]))
        rows = self._network.detect(np.ascontiguousarray(picture[:, :, ::-1]))[1]  # wants BGR
        rows = np.zeros((0, _COLUMNS)) if rows is None else rows
        return rows[np.isfinite(rows).all(axis=1)]


def _face(row: Any, scale: Any) -> Face:
    """From a row; ``scale`` (2) takes its coordinates to the picture's."""
    left, top, width, height = map(float, row[:4] * np.tile(scale, 2))
    points = np.asarray(row[4:14], np.float64).reshape(5, 2) * scale
    score = float(np.clip(row[14], 0, 1))
    return Face(box=(left, top, left + width, top + height), score=score, landmarks=points)


@contextmanager
def _silent(cv2: Any) -> Iterator[None]:
    """Without OpenCV's own lines on standard error, which the exception repeats."""
    level = cv2.getLogLevel()
    cv2.setLogLevel(_SILENCE)
    try:
        yield
    finally:
        cv2.setLogLevel(level)


def _opencv() -> Any:
    remedy = "Install it with: pip install opencv-python-headless"
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        raise EnvironmentFault(
            "YuNet needs OpenCV, which is not installed", remedy=remedy
        ) from None
    if not hasattr(cv2, "FaceDetectorYN"):
        raise EnvironmentFault("this OpenCV has no FaceDetectorYN", remedy=remedy)
    return cv2
