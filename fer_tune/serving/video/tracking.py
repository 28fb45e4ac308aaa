"""Faces followed from frame to frame, so that each has a lane, with smoothed probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from fer_tune.serving.faces.boxes import Boxes, iou

#: Intersection over union from which the faces of two frames are the same.
LEAST_IOU = 0.3
#: Seconds after which a face that was not found again is another one.
PATIENCE_S = 1.0
#: Time constant of the smoothing in seconds.
SMOOTHING_S = 0.5


@dataclass(kw_only=True, eq=False)
class _Lane:
    number: int
    time: float
    box: NDArray[np.float64]
    probabilities: NDArray[np.float64]


class Tracker:
    """Links the faces of successive frames by the overlap of their boxes.

    Pairs are made in the order of their intersection over union, the best first. Probabilities are
    an exponential moving average over time: after Δt seconds the average moves by
    1 - exp(-Δt / smoothing) of the difference, whatever the frame rate.

    Args:
        smoothing: time constant in seconds; 0 for none.
        least_iou: from which two boxes are the same face, 0 to 1.
        patience: seconds that a face may be missing.
    """

    def __init__(
        self,
        *,
        smoothing: float = SMOOTHING_S,
        least_iou: float = LEAST_IOU,
        patience: float = PATIENCE_S,
    ) -> None:
        assert smoothing >= 0 and 0 < least_iou <= 1 and patience >= 0
        self._smoothing, self._least_iou, self._patience = smoothing, least_iou, patience
        self._lanes: list[_Lane] = []
        self._count = 0
        self._last: float | None = None

    def update(
        self, time: float, boxes: Boxes, probabilities: NDArray[np.floating]
    ) -> tuple[list[int], NDArray[np.float64]]:
        """Takes in the faces of one frame.

        Args:
            time: of the frame in seconds; later than that of the last.
            boxes: float (n, 4).
            probabilities: float (n, classes).

        Returns:
            The lane of each face, counted from 1 in the order of appearance, and its smoothed
            probabilities (n, classes).
        """
        self._lanes = [one for one in self._lanes if self._may_continue(one, time)]
        taken = self._pairs(boxes)
        numbers, rows = [], np.array(probabilities, dtype=np.float64)
        for face, box in enumerate(boxes):
            lane = taken.get(face)
            if lane is None:
                lane = self._begun(time, box, rows[face])
            else:
                rows[face] = self._smoothed(lane, time, rows[face])
            lane.time, lane.box, lane.probabilities = time, box, rows[face]
            numbers.append(lane.number)
        self._last = time
        return numbers, rows

    def _may_continue(self, lane: _Lane, time: float) -> bool:
        # However far apart the frames are, a face of the last one may be in this one.
        return lane.time == self._last or time - lane.time <= self._patience

    def _pairs(self, boxes: Boxes) -> dict[int, _Lane]:
        """The lane of each face that continues one."""
        if not self._lanes or not len(boxes):
            return {}
        known = np.array([one.box for one in self._lanes])
        overlap = np.array([iou(box, known) for box in boxes])
        found: dict[int, _Lane] = {}
        while (best := float(overlap.max())) >= self._least_iou and best > 0:
            face, lane = np.unravel_index(int(overlap.argmax()), overlap.shape)
            found[int(face)] = self._lanes[int(lane)]
            overlap[face, :] = overlap[:, lane] = -1.0
        return found

    def _begun(
        self, time: float, box: NDArray[np.float64], probabilities: NDArray[np.float64]
    ) -> _Lane:
        self._count += 1
        lane = _Lane(number=self._count, time=time, box=box, probabilities=probabilities)
        self._lanes.append(lane)
        return lane

    def _smoothed(self, lane: _Lane, time: float, new: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._smoothing:
            return new
        weight = 1.0 - exp(-max(time - lane.time, 0.0) / self._smoothing)
        return lane.probabilities + weight * (new - lane.probabilities)
