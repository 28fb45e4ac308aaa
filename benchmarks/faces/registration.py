"""Where faces lie in the training pictures, and which rule gives back their frames.

Each picture is enlarged four times, its edge is repeated round it, and MTCNN looks for the face.
First table: box, landmarks and roll in shares of the picture, of which the constants of
`fer_tune/serving/faces/registration.py` are the medians. Second: pictures turned about their
centres; the root mean square distance, in sides, between the corners of the turned picture and of
the frame that a rule gives to the detected face; median over the pictures.

    python -m benchmarks.faces.registration [--count 1000] [--source ZIP]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import training_faces
from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces.interface import LANDMARKS, Face
from fer_tune.serving.faces.mtcnn import Mtcnn, Settings
from fer_tune.serving.faces.registration import Frame, frame_of, roll, spread

Array = NDArray[np.float64]
Rule = Callable[[Face], Frame]

#: Faces fill the pictures, so none is smaller than this share of them.
SMALLEST = 0.3
TURNS = (-30.0, -15.0, 0.0, 15.0, 30.0)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--source", type=Path, default=training_faces.DEFAULT)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--turned", type=int, default=250, help="pictures of the second table")
    chosen = options.parse_args()
    shown = training_faces.pictures(chosen.source, chosen.count, seed=1)
    smallest = SMALLEST * training_faces.ENLARGED * shown[0].shape[0]
    detector = Mtcnn(Settings(smallest=smallest), threads=1)
    print_places(detector, shown)
    turned = training_faces.pictures(chosen.source, chosen.turned, seed=2)
    print_rules(detector, turned)


def print_places(detector: Mtcnn, shown: list[Pixels]) -> None:
    found = []
    for picture in shown:
        whole, side = training_faces.framed(picture, share=0.25)
        if faces := detector.detect(whole):
            found.append(training_faces.relative(faces[0], len(whole), side))
    boxes, points = (np.array(part) for part in zip(*found, strict=True))
    print(f"{len(shown)} pictures, a face found in {len(found) / len(shown):.1%}")
    for name, column in zip(("left", "top", "right", "bottom"), boxes.T, strict=True):
        print(f"  {name:20} {spread_of(column)}")
    for name, place in zip(LANDMARKS, points.swapaxes(0, 1), strict=True):
        print(f"  {name:20} x {spread_of(place[:, 0])}   y {spread_of(place[:, 1])}")
    means, centres = points.mean(axis=1), (boxes[:, :2] + boxes[:, 2:]) / 2
    print(f"  landmarks' mean      x {spread_of(means[:, 0])}   y {spread_of(means[:, 1])}")
    print(f"  box's centre         x {spread_of(centres[:, 0])}   y {spread_of(centres[:, 1])}")
    print(f"  side by spread       {spread_of(1 / np.array([spread(p) for p in points]))}")
    sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    print(f"  side by box          {spread_of(1 / sides)}")
    tilts = np.degrees([roll(p) for p in points])
    low, high = np.percentile(tilts, [5, 95])
    print(f"  roll in degrees      {spread_of(tilts)}, 90 % within {low:.1f} to {high:.1f}")


def spread_of(values: Array) -> str:
    return f"{np.median(values):.3f} (sd {np.std(values):.3f})"


def print_rules(detector: Mtcnn, shown: list[Pixels]) -> None:
    print(f"turned by            {'  '.join(f'{turn:+6.0f}' for turn in TURNS)}    mean")
    found = {turn: faces_in(detector, shown, turn) for turn in TURNS}
    shares = [len(found[turn]) / len(shown) for turn in TURNS]
    print(f"{'faces found':20} {'  '.join(f'{share:6.1%}' for share in shares)}")
    for name, rule in RULES.items():
        errors = [float(np.median([off(rule(f), t) for f in found[t]])) for t in TURNS]
        cells = "  ".join(f"{error:6.3f}" for error in errors)
        print(f"{name:20} {cells}  {np.mean(errors):6.3f}")


def faces_in(detector: Mtcnn, shown: list[Pixels], degrees: float) -> list[Face]:
    """Faces in shares of the turned pictures, (0, 0) their common centre."""
    found = []
    for picture in shown:
        whole, side = training_faces.framed(picture, share=0.5, degrees=degrees)
        if faces := detector.detect(whole):
            box, points = training_faces.relative(faces[0], len(whole), side)
            left, top, right, bottom = map(float, box - 0.5)
            found.append(
                Face(box=(left, top, right, bottom), score=faces[0].score, landmarks=points - 0.5)
            )
    return found


def off(frame: Frame, degrees: float) -> float:
    """Root mean square distance of the corners of ``frame`` from those of the turned picture."""
    true = Frame(x=0.0, y=0.0, side=1.0, turn=-math.radians(degrees)).corners()
    return float(np.sqrt(((frame.corners() - true) ** 2).sum(axis=1).mean()))


def turned_by(share: Callable[[float], float]) -> Rule:
    """The frame by landmarks, of whose roll in degrees a share is undone."""

    def rule(face: Face) -> Frame:
        frame = frame_of(face)
        assert face.landmarks is not None
        tilt = roll(face.landmarks)
        turn = tilt * share(abs(math.degrees(tilt)))
        return Frame(x=frame.x, y=frame.y, side=frame.side, turn=turn)

    return rule


def by_box(face: Face) -> Frame:
    return frame_of(Face(box=face.box, score=face.score))


#: What was considered; the last is what is used.
RULES: dict[str, Rule] = {
    "box, level never": by_box,
    "level never": turned_by(lambda tilt: 0.0),
    "level always": turned_by(lambda tilt: 1.0),
    "level above 10": turned_by(lambda tilt: float(tilt > 10)),
    "level above 15": turned_by(lambda tilt: float(tilt > 15)),
    "excess over 8": turned_by(lambda tilt: max(tilt - 8, 0) / max(tilt, 1e-6)),
    "from 10 to 20": turned_by(lambda tilt: min(max((tilt - 10) / 10, 0.0), 1.0)),
    "from 5 to 15 (used)": frame_of,
}


if __name__ == "__main__":
    main()
