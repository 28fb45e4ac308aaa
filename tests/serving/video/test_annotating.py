"""Boxes and labels stay inside the frame and change nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from fer_tune.serving.video.annotating import Annotator
from fer_tune.serving.video.following import TrackedFace
from fer_tune.serving.video.palette import GREY, PALETTE, colour_of, ink_on

CLASSES = ("angry", "happy", "sad")
Box = tuple[float, float, float, float]


def face(
    box: Box, *, expression: str = "happy", uncertain: bool = False, lane: int = 1
) -> TrackedFace:
    return TrackedFace(
        lane=lane,
        box=box,
        score=0.9,
        expression=expression,
        probability=0.42,
        probabilities=np.array([0.3, 0.42, 0.28]),
        uncertain=uncertain,
        pixels=np.zeros((48, 48, 3), np.uint8),
    )


def grey(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 77, np.uint8)


def changed(pixels: np.ndarray, annotated: np.ndarray) -> np.ndarray:
    return (pixels != annotated).any(axis=2)


def rgb(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def test_a_box_and_a_label_above_it_are_all_that_changes() -> None:
    pixels = grey(640, 480)
    annotated = Annotator(CLASSES).annotated(pixels, [face((200, 150, 400, 350))])
    assert (pixels == 77).all()  # a copy
    where = changed(pixels, annotated)
    assert annotated[150, 300].tolist() == annotated[349, 300].tolist() == rgb(colour_of(1))
    assert not where[155:345, 205:395].any()  # inside the box
    outside = where.copy()
    outside[110:350, 200:401] = False
    assert not outside.any()


@pytest.mark.parametrize(
    "box",
    [
        (0.0, 0.0, 640.0, 480.0),  # a frame that was taken for a face
        (-50.0, -40.0, 90.0, 120.0),
        (560.0, 400.0, 700.0, 520.0),
        (630.0, 470.0, 650.0, 490.0),
        (700.0, 500.0, 800.0, 600.0),  # outside
        (10.0, 0.0, 60.0, 480.0),
    ],
)
@pytest.mark.parametrize("uncertain", [False, True])
def test_faces_at_the_edge_have_a_whole_label(box: Box, uncertain: bool) -> None:
    pixels = grey(640, 480)
    annotated = Annotator(CLASSES).annotated(pixels, [face(box, uncertain=uncertain)])
    colour = rgb(GREY if uncertain else colour_of(1))
    plate = (annotated == colour).all(axis=2).sum()
    assert annotated.shape == pixels.shape
    assert plate > 1_500  # of a label of about 150 × 25


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (16, 12), (48, 32), (4000, 30)])
def test_frames_of_any_size(width: int, height: int) -> None:
    pixels = grey(width, height)
    box = (width * 0.3, height * 0.3, width * 0.8, height * 0.9)
    for uncertain in (False, True):
        annotated = Annotator(CLASSES).annotated(pixels, [face(box, uncertain=uncertain)])
        assert annotated.shape == pixels.shape


@pytest.mark.parametrize(
    "name", ["happy\x1b[31m\n", "幸せ", "سعيد", "<b>" * 40, "h" * 500, " ", "\U0001f600"]
)
def test_names_of_any_kind(name: str) -> None:
    annotator = Annotator(["angry", name])
    pixels = grey(320, 240)
    annotated = annotator.annotated(pixels, [face((100, 100, 200, 200), expression=name)])
    assert changed(pixels, annotated).any()
    for text in annotator.mark(face((0, 0, 9, 9), expression=name), (320, 240)).texts:
        assert "\n" not in text and "\x1b" not in text


def test_uncertain_boxes_are_dashed_and_grey() -> None:
    annotated = Annotator(CLASSES).annotated(
        grey(640, 480), [face((200, 150, 400, 350), uncertain=True)]
    )
    row = (annotated[349, 200:400] == rgb(GREY)).all(axis=1)
    assert 0.3 < row.mean() < 0.7
    mark = Annotator(CLASSES).mark(face((0, 0, 9, 9), uncertain=True), (640, 480))
    assert mark.texts[0] == "1 happy? 42%"


def test_labels_of_larger_frames_are_larger() -> None:
    plates = []
    for scale in (1, 3):
        pixels = grey(640 * scale, 480 * scale)
        box = (200.0 * scale, 150.0 * scale, 400.0 * scale, 350.0 * scale)
        annotated = Annotator(CLASSES).annotated(pixels, [face(box)])
        plates.append(changed(pixels, annotated)[: 150 * scale].sum())
    assert plates[1] > 6 * plates[0]


def test_no_face_is_no_change() -> None:
    pixels = grey(64, 48)
    assert (Annotator(CLASSES).annotated(pixels, []) == pixels).all()


def test_text_has_contrast_on_every_colour() -> None:
    def luminance(colour: str) -> float:
        share = np.array(rgb(colour)) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colour in (*PALETTE, GREY):
        low, high = sorted((luminance(colour), luminance(ink_on(colour))))
        assert (high + 0.05) / (low + 0.05) >= 4.5, colour
