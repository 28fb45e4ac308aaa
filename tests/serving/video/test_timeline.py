"""Spans, shares, and the page that shows them: parsed, self-contained, escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fer_tune.serving.video.following import SeenFrame, TrackedFace
from fer_tune.serving.video.history import History, clock
from fer_tune.serving.video.timeline import MOST_FACES, Facts, timeline

CLASSES = ("angry", "happy", "sad")
FACTS = Facts(video="clip.mp4", model="m (resnet18)", threshold=0.5, smoothing=0.5)
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags with attributes and the text; fails where a tag is not closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def tracked(lane: int, row: list[float], classes: tuple[str, ...] = CLASSES) -> TrackedFace:
    best = int(np.argmax(row))
    return TrackedFace(
        lane=lane,
        box=(0.0, 0.0, 10.0, 10.0),
        score=None,
        expression=classes[best],
        probability=row[best],
        probabilities=np.array(row),
        uncertain=row[best] < 0.5,
        pixels=np.full((300, 200, 3), 128, np.uint8),
    )


def history(
    frames: list[list[TrackedFace] | None], step: float = 0.1, classes: tuple[str, ...] = CLASSES
) -> History:
    """Of frames ``step`` seconds apart; None was not predicted."""
    found = History(classes=classes)
    faces: tuple[TrackedFace, ...] = ()
    for number, own in enumerate(frames):
        faces = faces if own is None else tuple(own)
        frame: Any = SimpleNamespace(time=number * step, number=number)
        found.add(SeenFrame(frame=frame, faces=faces, is_predicted=own is not None))
    found.finish(len(frames) * step)
    return found


HAPPY, SAD, UNSURE = [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.4, 0.35, 0.25]


def test_spans_join_equal_expressions_and_break_where_the_face_is_missing() -> None:
    rows = [HAPPY, HAPPY, SAD, None, SAD, UNSURE]
    found = history([[tracked(1, row)] if row else [] for row in rows])
    (lane,) = found.lanes
    spans = found.spans(lane)
    assert [(s.expression, s.uncertain) for s in spans] == [
        *(("happy", False), ("sad", False), ("sad", False), ("angry", True))
    ]
    assert [(s.start, s.end) for s in spans] == [
        *(pytest.approx((0.0, 0.2)), pytest.approx((0.2, 0.3))),
        *(pytest.approx((0.4, 0.5)), pytest.approx((0.5, 0.6))),
    ]
    assert lane.seconds == pytest.approx(0.5)
    certain, uncertain = found.shares([lane])
    assert certain == pytest.approx({"angry": 0.0, "happy": 0.4, "sad": 0.4})
    assert uncertain == pytest.approx(0.2)


def test_predictions_hold_until_the_next_predicted_frame() -> None:
    found = history([[tracked(1, HAPPY)], None, None, [], None])
    (lane,) = found.lanes
    assert [(s.start, s.end) for s in found.spans(lane)] == [pytest.approx((0.0, 0.3))]
    assert (found.frames, found.predicted) == (5, 2)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00.0"),
        (59.96, "1:00.0"),
        (61.25, "1:01.2"),
        (3599.99, "1:00:00.0"),
        (7325, "2:02:05.0"),
    ],
)
def test_times_as_minutes_and_seconds(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_the_page_has_a_panel_per_face_and_needs_nothing_else() -> None:
    source = timeline(history([[tracked(1, HAPPY), tracked(2, UNSURE)]] * 20), FACTS)
    page = Page(source)
    assert len(page.of("section")) == len(page.of("svg")) == 2
    assert "Face 1" in page.text and "Face 2" in page.text
    assert "happy 100%" in page.text and "uncertain 100%" in page.text
    assert "m (resnet18)" in page.text and "clip.mp4" in page.text
    assert page.of("script") == page.of("link") == page.of("iframe") == []
    assert all(str(one["src"]).startswith("data:image/jpeg;base64,") for one in page.of("img"))
    assert "http" not in source and "url(" not in source
    assert "prefers-color-scheme: dark" in source


def test_areas_stack_to_one() -> None:
    rows = [HAPPY, SAD, UNSURE, HAPPY]
    page = Page(timeline(history([[tracked(1, row)] for row in rows], step=0.25), FACTS))
    paths = [str(one["d"]) for one in page.of("path")]
    assert len(paths) == len(CLASSES)
    points = [
        [tuple(map(float, pair.split())) for pair in re.split("[ML]", path.rstrip("Z"))[1:]]
        for path in paths
    ]
    upper = [one[: len(one) // 2] for one in points]
    lower = [one[: len(one) // 2 - 1 : -1] for one in points]
    assert [x for x, _ in upper[0]] == [0.0, 250.0, 500.0, 750.0, 1000.0]
    assert {y for _, y in lower[0]} == {100.0} and {y for _, y in upper[-1]} == {0.0}
    assert lower[1] == upper[0] and lower[2] == upper[1]
    assert [y for _, y in upper[0]] == pytest.approx([90, 90, 60, 90, 90])


@pytest.mark.parametrize(
    "name",
    ['<script>alert("1")</script>', "a&b", '"onclick="x', "x\x1b[1m\ny", "\u202egnp"],
)
def test_names_do_nothing_to_the_page(name: str) -> None:
    classes = (name, "happy", "sad")
    facts = Facts(video=name, model=name, threshold=0.5, smoothing=0.0, notes=[name])
    source = timeline(history([[tracked(1, SAD[::-1], classes)]] * 4, classes=classes), facts)
    page = Page(source)
    assert page.of("script") == []
    assert not any("onclick" in attributes for _, attributes in page.tags)
    assert "\x1b" not in source and "\u202e" not in source


def test_no_face_is_said() -> None:
    page = Page(timeline(history([[]] * 3), FACTS))
    assert "No face was found." in page.text and page.of("section") == []


def test_of_a_crowd_the_faces_seen_longest_are_shown() -> None:
    frames = [
        [tracked(lane, HAPPY) for lane in range(1, 41) if number <= lane] for number in range(41)
    ]
    page = Page(timeline(history(frames), FACTS))
    assert len(page.of("section")) == MOST_FACES
    assert "Face 40" in page.text and "Face 5\n" not in page.text
    assert f"{40 - MOST_FACES} further faces" in page.text


def test_a_long_video_makes_no_large_page() -> None:
    rows = [HAPPY, SAD]
    frames = [[tracked(1, rows[number // 7 % 2])] for number in range(12_000)]
    source = timeline(history(frames), FACTS)
    assert len(source) < 600_000
    Page(source)


def test_a_video_of_one_frame() -> None:
    page = Page(timeline(history([[tracked(1, HAPPY)]]), FACTS))
    assert "happy 100%" in page.text


def test_portraits_are_small_and_grey_ones_work() -> None:
    found = history([[tracked(1, HAPPY)]])
    assert max(found.lanes[0].portrait.shape) <= 96
