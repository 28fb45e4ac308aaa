"""A video's frames with the predictions for their faces, some of which are held from before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces.interface import Box
from fer_tune.serving.prediction import FaceReader
from fer_tune.serving.video.reading import Frame, Sound, Video
from fer_tune.serving.video.tracking import Tracker

#: Frames per second that are predicted by default: finding faces takes most of the time, and
#: expressions last longer.
DEFAULT_FPS = 10.0


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames are predicted: every ``every``-th, or ``fps`` per second of video.

    Attributes:
        every: from 1; None for ``fps``.
        fps: at most so many; videos with fewer frames are predicted frame by frame.
    """

    every: int | None = None
    fps: float = DEFAULT_FPS

    def is_due(self, number: int, time: float, last: float | None) -> bool:
        """Whether a frame is predicted.

        Args:
            number: of the frame, from 0.
            time: of the frame in seconds.
            last: when the last predicted frame was shown; None before the first.
        """
        if self.every is not None:
            return number % self.every == 0
        return last is None or self._slot(time) > self._slot(last)

    def _slot(self, time: float) -> int:
        # Times are sums of rounded fractions: 0.3 s at 10 per second is in slot 3, not in 2.
        return floor(time * self.fps + 1e-3)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackedFace:
    """The prediction for a face of a frame.

    Attributes:
        lane: which face of the video, from 1.
        box: the whole frame if that was taken for a face.
        score: the detector's; None without a detector.
        expression: the most probable class, after smoothing.
        probability: of that class, 0 to 1.
        probabilities: of all classes, (classes,), smoothed.
        uncertain: ``probability`` is below the threshold.
        pixels: what the network saw.
    """

    lane: int
    box: Box
    score: float | None
    expression: str
    probability: float
    probabilities: NDArray[np.float64]
    uncertain: bool
    pixels: Pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenFrame:
    """A frame and its faces.

    Attributes:
        faces: of the last predicted frame; the largest first.
        is_predicted: whether that is this one.
    """

    frame: Frame
    faces: tuple[TrackedFace, ...]
    is_predicted: bool


def follow(
    video: Video, reader: FaceReader, tracker: Tracker, sampling: Sampling
) -> Iterator[SeenFrame | Sound]:
    """Frames with their faces, and sound, in the order of the file.

    Raises:
        DataError: see :meth:`Video.parts`.
    """
    faces: tuple[TrackedFace, ...] = ()
    last: float | None = None
    for part in video.parts():
        if isinstance(part, Sound):
            yield part
            continue
        due = sampling.is_due(part.number, part.time, last)
        if due:
            faces, last = _faces(part, reader, tracker), part.time
        yield SeenFrame(frame=part, faces=faces, is_predicted=due)


def _faces(frame: Frame, reader: FaceReader, tracker: Tracker) -> tuple[TrackedFace, ...]:
    pixels = frame.pixels
    height, width = pixels.shape[:2]
    crops = reader.crops(pixels)
    found = reader.faces(crops)
    boxes = [
        (0.0, 0.0, float(width), float(height)) if f.face is None else f.face.box for f in found
    ]
    classes = reader.predictor.classes
    lanes, rows = tracker.update(
        frame.time,
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array([one.probabilities for one in found]).reshape(-1, len(classes)),
    )
    return tuple(
        TrackedFace(
            lane=lane,
            box=box,
            score=None if one.face is None else one.face.score,
            expression=classes[int(row.argmax())],
            probability=float(row.max()),
            probabilities=row,
            uncertain=bool(row.max() < reader.threshold),
            pixels=crop,
        )
        for one, (_, crop), box, lane, row in zip(found, crops, boxes, lanes, rows, strict=True)
    )
