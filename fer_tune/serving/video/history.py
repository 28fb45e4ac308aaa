"""What was predicted for each face over the time of a video: spans of expressions and shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data.pixels import Pixels
from fer_tune.serving.video.following import SeenFrame, TrackedFace

#: Sides of the picture that is kept of each face, in pixels.
_PORTRAIT = 96


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time in which a face had one expression.

    Attributes:
        start, end: in seconds.
        expression: the most probable class.
        probability: its mean over the time, 0 to 1.
        uncertain: whether the probability was below the threshold.
    """

    start: float
    end: float
    expression: str
    probability: float
    uncertain: bool

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(kw_only=True, eq=False)
class Lane:
    """One face of a video.

    Attributes:
        number: from 1.
        portrait: a small copy of what the network saw of it first.
        starts, ends: of each prediction in seconds; it holds until the next predicted frame.
        rows: probabilities (classes,) of each.
        uncertain: of each.
    """

    number: int
    portrait: Pixels
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    rows: list[NDArray[np.float32]] = field(default_factory=list)
    uncertain: list[bool] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long the face was seen."""
        return float(np.subtract(self.ends, self.starts).sum())

    def stretches(self) -> list[list[int]]:
        """Positions of predictions that follow each other without a gap."""
        breaks = [at for at in range(1, len(self.starts)) if self.starts[at] > self.ends[at - 1]]
        edges = [0, *breaks, len(self.starts)]
        return [list(range(a, b)) for a, b in pairwise(edges)]


@dataclass(kw_only=True, eq=False)
class History:
    """The predictions of a video; pixels are kept of one face per lane alone.

    Attributes:
        classes: names, in the order of the probabilities.
        frames, predicted: how many.
        seconds: of video.
    """

    classes: Sequence[str]
    frames: int = 0
    predicted: int = 0
    seconds: float = 0.0
    _lanes: dict[int, Lane] = field(default_factory=dict)
    _held: list[Lane] = field(default_factory=list)
    _spans: dict[int, list[Span]] = field(default_factory=dict)

    def add(self, seen: SeenFrame) -> None:
        """Takes in the next frame."""
        self.frames += 1
        if not seen.is_predicted:
            return
        self.predicted += 1
        self._end_held(seen.frame.time)
        self._held = [self._extended(face, seen.frame.time) for face in seen.faces]

    def finish(self, end: float) -> None:
        """Ends what was held at the end of the video, in seconds."""
        self.seconds = end
        self._end_held(end)
        self._held = []
        self._spans = {}

    @property
    def lanes(self) -> list[Lane]:
        """By number."""
        return list(self._lanes.values())

    def spans(self, lane: Lane) -> list[Span]:
        """The expressions of a face in the order of time; after :meth:`finish`."""
        if lane.number not in self._spans:
            runs = lane.stretches()
            self._spans[lane.number] = [s for run in runs for s in self._spans_of(lane, run)]
        return self._spans[lane.number]

    def shares(self, lanes: Sequence[Lane]) -> tuple[dict[str, float], float]:
        """Shares of the time that the faces were seen, 0 to 1.

        Returns:
            The share of each class in which it was certain, and that of uncertain predictions.
        """
        total = sum(one.seconds for one in lanes) or 1.0
        found, uncertain = dict.fromkeys(self.classes, 0.0), 0.0
        for span in (span for one in lanes for span in self.spans(one)):
            if span.uncertain:
                uncertain += span.seconds / total
            else:
                found[span.expression] += span.seconds / total
        return found, uncertain

    def _extended(self, face: TrackedFace, time: float) -> Lane:
        lane = self._lanes.get(face.lane)
        if lane is None:
            lane = self._lanes[face.lane] = Lane(number=face.lane, portrait=_small(face.pixels))
        lane.starts.append(time)
        lane.ends.append(time)
        lane.rows.append(face.probabilities.astype(np.float32))
        lane.uncertain.append(face.uncertain)
        return lane

    def _end_held(self, time: float) -> None:
        for lane in self._held:
            lane.ends[-1] = time

    def _spans_of(self, lane: Lane, run: Sequence[int]) -> Iterator[Span]:
        def label(at: int) -> tuple[int, bool]:
            return int(lane.rows[at].argmax()), lane.uncertain[at]

        for (best, uncertain), positions in groupby(run, key=label):
            own = list(positions)
            yield Span(
                start=lane.starts[own[0]],
                end=lane.ends[own[-1]],
                expression=self.classes[best],
                probability=float(np.mean([lane.rows[at][best] for at in own])),
                uncertain=uncertain,
            )


def _small(pixels: Pixels) -> Pixels:
    """A copy of at most ``_PORTRAIT`` pixels a side."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((_PORTRAIT, _PORTRAIT))
    return np.atleast_3d(np.array(image))


def clock(seconds: float, *, tenths: bool = True) -> str:
    """A time as ``m:ss.t``, or ``h:mm:ss.t`` from an hour on."""
    whole = round(seconds * 10) if tenths else round(seconds) * 10
    minutes, rest = divmod(whole, 600)
    hours, minutes = divmod(minutes, 60)
    shown = f"{rest // 10:02d}.{rest % 10}" if tenths else f"{rest // 10:02d}"
    return f"{hours}:{minutes:02d}:{shown}" if hours else f"{minutes}:{shown}"
