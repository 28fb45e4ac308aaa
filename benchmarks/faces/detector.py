"""How well and how fast faces are found, and what `--faces auto` makes of pictures.

On scikit-image's astronaut, on training pictures pasted into larger canvases at known places, and
on training pictures enlarged. A pasted face counts as found if a box shares half of the union with
its picture; the crop's overlap says how well the crop gives the training picture back.

    python -m benchmarks.faces.detector [--canvases 100] [--threads 1] [--source ZIP]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.faces import training_faces
from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces import Face, faces_of
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.mtcnn import Mtcnn
from fer_tune.serving.faces.registration import frame_of

Array = NDArray[np.float64]

#: Width and height of a canvas, places for faces on it, and how much faces are enlarged.
CANVAS, CELL, SCALES = (640, 480), (213, 240), (2.0, 4.0)
#: The astronaut's face by eye: hairline to chin, temple to temple.
ASTRONAUT = np.array([[182.0, 66.0, 268.0, 178.0]])
#: Overlap from which a face counts as found; a box below it is loose, or beside every face.
FOUND, LOOSE = 0.5, 0.25


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--source", type=Path, default=training_faces.DEFAULT)
    options.add_argument("--canvases", type=int, default=100)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    detector = Mtcnn(threads=chosen.threads)
    print(f"{processor()}, {chosen.threads} threads of the detector")
    print_astronaut(detector)
    faces = training_faces.pictures(chosen.source, 4 * chosen.canvases, seed=3)
    print_composites(detector, faces, chosen.canvases)
    print_auto(detector, faces[:300])


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if platform.system() == "Linux" else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def print_astronaut(detector: Mtcnn) -> None:
    from skimage import data

    picture = Image.fromarray(data.astronaut())
    for scale in (0.5, 1.0, 2.0, 4.0):
        side = round(picture.width * scale)
        pixels = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
        seconds = min(timed(detector, pixels)[1] for _ in range(5))
        faces, _ = timed(detector, pixels)
        overlaps = [iou(np.array(face.box), ASTRONAUT * scale)[0] for face in faces]
        best = f"{len(faces)} found, overlap {max(overlaps, default=0):.2f}"
        print(f"astronaut {side} × {side}: {best}, {1000 * seconds:.0f} ms")


def timed(detector: Mtcnn, pixels: Pixels) -> tuple[list[Face], float]:
    begin = time.perf_counter()
    return detector.detect(pixels), time.perf_counter() - begin


def print_composites(detector: Mtcnn, faces: list[Pixels], canvases: int) -> None:
    rng = np.random.default_rng(0)
    boxes, crops, seconds, pasted, loose, false = [], [], [], 0, 0, 0
    whole: Counter[str] = Counter()
    for number in range(canvases):
        count = int(rng.integers(1, 5))
        canvas, squares = composite(rng, faces[4 * number : 4 * number + count])
        found, taken = timed(detector, canvas)
        seconds.append(taken)
        pasted += count
        whole[outcome(canvas, detector)] += 1
        for face in found:
            shared = iou(np.array(face.box), squares)
            if shared.max() >= FOUND:
                boxes.append(shared.max())
                crops.append(crop_overlap(face, squares))
            elif shared.max() >= LOOSE:
                loose += 1
            else:
                false += 1
    print(f"{canvases} canvases of {CANVAS[0]} × {CANVAS[1]} with {pasted} faces:")
    print(f"  recall {len(boxes) / pasted:.1%}; {loose} boxes too large or small, {false} beside")
    print(f"  overlap of box {np.mean(boxes):.2f}, of crop {np.mean(crops):.2f} (means)")
    print(f"  {1000 * np.median(seconds):.0f} ms per picture (median)")
    print(f"  auto: {shares(whole)}")


def crop_overlap(face: Face, squares: Array) -> float:
    """Of the crop's upright square with the picture it should give back."""
    frame = frame_of(face)
    half = frame.side / 2
    upright = np.array([frame.x - half, frame.y - half, frame.x + half, frame.y + half])
    return float(iou(upright, squares).max())


def composite(rng: np.random.Generator, faces: list[Pixels]) -> tuple[Pixels, Array]:
    """Faces on a blurred background, uint8 (h, w, 3), and their squares, float (n, 4)."""
    coarse = rng.integers(40, 216, (CANVAS[1] // 24, CANVAS[0] // 24, 3), dtype=np.uint8)
    canvas = Image.fromarray(coarse).resize(CANVAS, Image.Resampling.BICUBIC)
    cells = [(x, y) for y in range(2) for x in range(3)]
    squares = []
    for face, cell in zip(faces, rng.permutation(cells), strict=False):
        side = round(face.shape[0] * rng.uniform(*SCALES))
        room = np.array(CELL) - side
        left, top = (cell * np.array(CELL) + rng.integers(0, room)).tolist()
        canvas.paste(Image.fromarray(training_faces.enlarged(face, side)[:, :, 0]), (left, top))
        squares.append((left, top, left + side, top + side))
    return np.asarray(canvas), np.array(squares, dtype=np.float64)


def print_auto(detector: Mtcnn, faces: list[Pixels]) -> None:
    for side in (48, 96, 128, 224, 384):
        outcomes = Counter(outcome(training_faces.enlarged(face, side), detector) for face in faces)
        print(f"training pictures at {side} × {side}, auto: {shares(outcomes)}")


def outcome(pixels: Pixels, detector: Mtcnn) -> str:
    found = faces_of(pixels, "auto", detector)
    if not found:
        return "no face"
    return "whole" if found[0].face is None else "one crop" if len(found) == 1 else "several crops"


def shares(outcomes: Counter[str]) -> str:
    total = sum(outcomes.values())
    return ", ".join(f"{name} {count / total:.1%}" for name, count in outcomes.most_common())


if __name__ == "__main__":
    main()
