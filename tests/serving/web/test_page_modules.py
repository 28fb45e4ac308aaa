"""The page's modules compute what Python computes: boxes, resizing, crops, inputs, tracking."""

from __future__ import annotations

import base64
import io
import subprocess
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from fer_tune.data.pixels import canonical
from fer_tune.models.card import Preprocessing
from fer_tune.serving.faces.boxes import suppressed
from fer_tune.serving.faces.crop import cut_out
from fer_tune.serving.faces.interface import Face
from fer_tune.serving.faces.mtcnn import Settings, pyramid
from fer_tune.serving.faces.registration import Frame, frame_of
from fer_tune.serving.predictor import evaluation_view
from fer_tune.serving.video.tracking import Tracker
from tests.serving.web.javascript import HERE, calls, needs_node, picture, pixels_of


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray[Any, Any]:
    """Noise that a filter has something to do with: large patches and small ones."""
    small = rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return np.where(rng(seed).random((height, width, 1)) < 0.5, small, small[:1, :1])


RESAMPLING = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("name", RESAMPLING)
def test_pictures_are_resized_as_by_pillow(name: str) -> None:
    sizes = [(61, 47, 24, 24), (20, 33, 48, 48), (100, 70, 13, 19), (5, 5, 5, 9), (1, 1, 12, 12)]
    made = [(noise(h, w), nw, nh) for h, w, nw, nh in sizes]
    found = calls([("lib/resample.js", "resized8", [picture(p), w, h, name]) for p, w, h in made])
    for (pixels, width, height), one in zip(made, found, strict=True):
        expected = Image.fromarray(pixels).resize((width, height), RESAMPLING[name])
        np.testing.assert_array_equal(pixels_of(one), np.asarray(expected))


def test_floats_are_resized_as_by_pytorch() -> None:
    made = [(noise(h, w), nw, nh) for h, w, nw, nh in [(61, 47, 24, 30), (20, 33, 55, 55)]]
    found = calls(
        [("lib/resample.js", "resizedFloat", [picture(p, floats=True), w, h]) for p, w, h in made]
    )
    for (pixels, width, height), one in zip(made, found, strict=True):
        given = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
        expected = functional.interpolate(
            given, (height, width), mode="bilinear", antialias=True, align_corners=False
        )
        np.testing.assert_allclose(pixels_of(one), expected[0].permute(1, 2, 0).numpy(), atol=1e-3)


def test_the_same_boxes_remain() -> None:
    corners = rng().uniform(0, 80, (60, 2))
    boxes = np.concatenate([corners, corners + rng(1).uniform(5, 40, (60, 2))], axis=1)
    scores = rng(2).random(60).round(1)  # with equal ones
    for relative in ("union", "smaller"):
        found = calls(
            [("lib/boxes.js", "suppressed", [boxes.tolist(), scores.tolist(), 0.4, relative])]
        )
        assert found[0] == suppressed(boxes, scores, 0.4, relative).tolist()


def test_halves_are_rounded_to_even() -> None:
    values = [0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, 7.0, -3.2]
    found = calls([("lib/boxes.js", "round", [value]) for value in values])
    assert found == np.round(values).tolist()


FRAMES = {
    "upright": Frame(x=60.0, y=50.0, side=70.0),
    "turned": Frame(x=70.5, y=61.25, side=55.0, turn=0.4),
    "beyond the edge": Frame(x=5.0, y=8.0, side=60.0, turn=-0.2),
    "beside the picture": Frame(x=-90.0, y=400.0, side=40.0),
    "large": Frame(x=80.0, y=60.0, side=300.0, turn=0.1),
    "small": Frame(x=30.0, y=30.0, side=9.0),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FRAMES)
def test_faces_are_cut_out_alike(name: str, channels: int) -> None:
    frame, pixels = FRAMES[name], noise(120, 160, channels)
    words = {"x": frame.x, "y": frame.y, "side": frame.side, "turn": frame.turn}
    found = calls([("lib/crop.js", "cutOut", [picture(pixels), words, 48])])
    difference = np.abs(pixels_of(found[0]) - cut_out(pixels, frame, 48).astype(int))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.002


def test_frames_of_faces_are_the_same() -> None:
    faces = []
    for seed in range(20):
        corner, size = rng(seed).uniform(0, 100, 2), rng(seed + 50).uniform(20, 90, 2)
        shares = np.array([(0.3, 0.35), (0.7, 0.4), (0.5, 0.55), (0.35, 0.75), (0.65, 0.8)])
        points = corner + (shares + rng(seed + 99).normal(0, 0.08, (5, 2))) * size
        faces.append(
            Face(box=(*corner, *(corner + size)), score=1.0, landmarks=points)  # type: ignore[arg-type]
        )
    given = [{"box": list(one.box), "landmarks": one.landmarks.tolist()} for one in faces]
    found = calls([("lib/registration.js", "frameOf", [one]) for one in given])
    for face, one in zip(faces, found, strict=True):
        frame = frame_of(face)
        wanted = {"x": frame.x, "y": frame.y, "side": frame.side, "turn": frame.turn}
        assert one == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(48, 48, 1), (70, 41, 3), (300, 260, 3), (20, 25, 3)])
def test_a_classifier_sees_the_same_pixels(shape: tuple[int, int, int], channels: int) -> None:
    prepared = Preprocessing(max_side=256, channels=channels, resize_ratio=1.14, crop_size=48)
    pixels = noise(*shape)
    given = {**prepared.model_dump(), "resized_side": prepared.resized_side}
    found = calls([("lib/pictures.js", "inputOf", [picture(pixels), given])])
    expected = evaluation_view([pixels], prepared)[0].numpy().astype(int)
    difference = np.abs(np.array(found[0]).reshape(expected.shape) - expected)
    # Values between two grey levels are rounded differently, as PyTorch's have fewer digits.
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


def test_grey_pictures_in_colour_lose_it() -> None:
    pixels = np.repeat(noise(30, 40, 1), 3, axis=2)
    found = calls([("lib/pictures.js", "canonical", [picture(pixels), 256])])
    np.testing.assert_array_equal(pixels_of(found[0]), canonical(pixels, 256))


def test_the_pyramid_has_the_same_levels() -> None:
    settings = Settings()
    for size in [(640, 480), (31, 200), (19, 19), (512, 513)]:
        words = {"smallest": settings.smallest, "factor": settings.factor}
        found = calls([("lib/mtcnn.js", "pyramid", [{"width": size[0], "height": size[1]}, words])])
        expected = pyramid(size, settings.smallest, settings.factor)
        assert [tuple(level) for level in found[0]] == expected


def test_faces_are_followed_and_smoothed_alike() -> None:
    """Two faces that move, one of which is missing for a while, and a third."""
    frames, tracker = [], Tracker()
    for number in range(25):
        time = number * 0.13
        boxes = [[10 + number, 10, 60 + number, 70], [100.0, 20, 150, 80 + number / 2]]
        if 6 <= number < 20:
            boxes.pop(0)
        if number > 10:
            boxes.append([200, 200, 250, 260])
        rows = rng(number).dirichlet(np.ones(3), len(boxes))
        frames.append((time, boxes, rows.tolist()))
    found = calls([("../../../../tests/serving/web/tracked.mjs", "tracked", [frames])])[0]
    for (time, boxes, rows), seen in zip(frames, found, strict=True):
        lanes, smooth = tracker.update(time, np.array(boxes, dtype=np.float64), np.array(rows))
        assert [one["lane"] for one in seen] == lanes
        np.testing.assert_allclose([one["row"] for one in seen], smooth, atol=1e-12)


FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")


@pytest.mark.parametrize("form", FORMATS)
def test_sizes_are_read_before_pictures_are_decoded(form: str) -> None:
    image = Image.fromarray(noise(37, 91))
    variants = [{}] if form != "WEBP" else [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*"}]
    if form == "JPEG":
        variants = [{}, {"progressive": True}, {"comment": "x" * 5000}]
    for settings in variants:
        stream = io.BytesIO()
        image.save(stream, form, **settings)
        found = _dimensions(stream.getvalue())
        assert found == {"width": 91, "height": 37}, settings


def test_a_bomb_declares_its_size_and_other_files_have_none() -> None:
    stream = io.BytesIO()
    Image.new("1", (30000, 30000)).save(stream, "PNG")
    assert len(stream.getvalue()) < 200_000
    assert _dimensions(stream.getvalue()) == {"width": 30000, "height": 30000}
    for content in (b"", b"%PDF-1.7 " * 9, b"\xff\xd8\xff\xe0\0\x10", b"<svg/>", b"\x89PNG\r\n"):
        assert _dimensions(content) is None, content


def _dimensions(content: bytes) -> object:
    given = {"bytes": base64.b64encode(content).decode()}
    return calls([("lib/dimensions.js", "dimensions", [given])])[0]


def test_the_recogniser_with_made_up_networks() -> None:
    """Unit tests of JavaScript, run by node."""
    done = subprocess.run(
        [needs_node(), "--test", str(HERE / "recogniser.test.mjs")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and "pass 8" in done.stdout, done.stdout[-3000:]
