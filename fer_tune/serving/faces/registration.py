"""Where faces lie in the training pictures: the frame that belongs to a detected face.

FER2013 was cropped by an unpublished program, which gives "faces automatically registered so that
the face is more or less centred and occupies about the same amount of space". The constants were
measured: `benchmarks/faces/registration.py` runs MTCNN on training pictures, and
docs/faces/crops.md has the figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_tune.serving.faces.interface import Face

#: Side of the training pictures, in pixels.
TRAINING_SIDE = 48
#: Median side of the frame relative to the landmarks' spread (see :func:`spread`), and to the
#: geometric mean of the box's sides.
SIDE_PER_SPREAD = 1.88
SIDE_PER_BOX = 1.085
#: Median height of the landmarks' mean and of the box's centre in the frame: 0 top, 1 bottom.
#: Horizontally both are in the middle, as the training pictures and their mirror images are one.
LANDMARKS_AT = 0.589
BOX_AT = 0.507
#: Roll in degrees up to which nothing is undone, and from which all of it is. Rolls of training
#: pictures have a standard deviation of 9.9; to undo those would move frames from where they were.
LEAVE_ROLL, LEVEL_ROLL = 5.0, 15.0
#: How much the side by landmarks may differ from the side by the box, as a factor. Landmarks that
#: contradict the box by more are wrong.
_TRUST = 1.5


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A square of a picture that is shown as training pictures are.

    Attributes:
        x, y: centre, in pixels of the picture.
        side: in pixels, above 0.
        turn: of its upper edge from horizontal, in radians, clockwise as seen.
    """

    x: float
    y: float
    side: float
    turn: float = 0.0

    def corners(self) -> NDArray[np.float64]:
        """Float (4, 2): top left, top right, bottom right, bottom left."""
        return self.at(np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]))

    def at(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2) given in shares of the frame, (0, 0) its top left, in the picture."""
        return np.array([self.x, self.y]) + (shares - 0.5) * self.side @ _turning(self.turn).T

    def shares(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2) of the picture in shares of the frame."""
        away = points - np.array([self.x, self.y])
        found: NDArray[np.float64] = away @ _turning(self.turn) / self.side + 0.5
        return found


def frame_of(face: Face) -> Frame:
    """The frame of a training picture of this face.

    By landmarks where there are any: they also say how the head is tilted, and their spread
    depends less on that than the box does.
    """
    left, top, right, bottom = face.box
    by_box = SIDE_PER_BOX * math.sqrt(max(face.area, 1e-6))
    if face.landmarks is None:
        lift = (BOX_AT - 0.5) * by_box
        return Frame(x=(left + right) / 2, y=(top + bottom) / 2 - lift, side=by_box)
    by_landmarks = SIDE_PER_SPREAD * spread(face.landmarks)
    side = min(max(by_landmarks, by_box / _TRUST), by_box * _TRUST)
    tilt = roll(face.landmarks)
    lift = (LANDMARKS_AT - 0.5) * side
    x, y = face.landmarks.mean(axis=0) + lift * np.array([math.sin(tilt), -math.cos(tilt)])
    return Frame(x=float(x), y=float(y), side=side, turn=undone(tilt))


def spread(landmarks: NDArray[np.float64]) -> float:
    """Root of the summed squared distances (5, 2) to their mean, in pixels."""
    return float(np.linalg.norm(landmarks - landmarks.mean(axis=0)))


def roll(landmarks: NDArray[np.float64]) -> float:
    """Tilt of the head in radians, clockwise as seen: by the lines of eyes and mouth together."""
    across = landmarks[1] - landmarks[0] + landmarks[4] - landmarks[3]
    return math.atan2(across[1], across[0])


def undone(tilt: float) -> float:
    """The part of a tilt that is undone, in radians: none of a small one, all of a large one.

    In between it grows steadily, so that crops of a video do not jump.
    """
    share = (abs(math.degrees(tilt)) - LEAVE_ROLL) / (LEVEL_ROLL - LEAVE_ROLL)
    return tilt * min(max(share, 0.0), 1.0)


def _turning(angle: float) -> NDArray[np.float64]:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([(cos, -sin), (sin, cos)])
