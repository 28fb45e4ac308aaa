"""Faces keep their lanes; probabilities are smoothed over time, not over frames."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from fer_tune.serving.video.tracking import Tracker


def box(x: float, y: float = 0.0, side: float = 100.0) -> list[float]:
    return [x, y, x + side, y + side]


def update(tracker: Tracker, time: float, *boxes: list[float]) -> list[int]:
    rows = np.tile([0.5, 0.5], (len(boxes), 1))
    return tracker.update(time, np.array(boxes, dtype=np.float64).reshape(-1, 4), rows)[0]


def test_a_face_that_moves_keeps_its_lane_whatever_the_order() -> None:
    tracker = Tracker()
    assert update(tracker, 0.0, box(0), box(500)) == [1, 2]
    assert update(tracker, 0.1, box(480), box(20)) == [2, 1]
    assert update(tracker, 0.2, box(40), box(460), box(900)) == [1, 2, 3]


def test_faces_that_cross_are_told_apart_by_the_better_overlap() -> None:
    tracker = Tracker()
    update(tracker, 0.0, box(0), box(60))
    # The second overlaps with both lanes; the first fits lane 1 better.
    assert update(tracker, 0.1, box(50), box(5)) == [2, 1]


def test_no_overlap_is_another_face() -> None:
    tracker = Tracker()
    update(tracker, 0.0, box(0))
    assert update(tracker, 0.1, box(150)) == [2]


@pytest.mark.parametrize(("gap", "lane"), [(0.9, 1), (1.1, 2)])
def test_a_face_may_be_missing_for_a_second(gap: float, lane: int) -> None:
    tracker = Tracker()
    update(tracker, 0.0, box(0))
    assert update(tracker, 0.05) == []
    assert update(tracker, gap, box(0)) == [lane]


def test_frames_that_are_far_apart_still_link_to_the_last_one() -> None:
    tracker = Tracker()
    assert [update(tracker, time, box(0)) for time in (0.0, 5.0, 10.0)] == [[1], [1], [1]]


def test_smoothing_depends_on_time_and_not_on_the_number_of_frames() -> None:
    last = []
    for step in (0.1, 0.02):
        tracker = Tracker(smoothing=0.5)
        where = np.array([box(0)])
        tracker.update(0.0, where, np.array([[1.0, 0.0]]))
        for number in range(1, round(1 / step) + 1):
            _, rows = tracker.update(number * step, where, np.array([[0.0, 1.0]]))
        last.append(rows[0])
    expected = exp(-1 / 0.5)
    assert last[0] == pytest.approx([expected, 1 - expected])
    assert last[1] == pytest.approx(last[0])


def test_a_single_outlier_does_not_change_the_label() -> None:
    tracker, labels = Tracker(), []
    for number in range(20):
        row = [0.2, 0.8] if number == 10 else [0.8, 0.2]
        _, rows = tracker.update(number / 10, np.array([box(0)]), np.array([row]))
        labels.append(int(rows[0].argmax()))
    assert set(labels) == {0}


def test_without_smoothing_probabilities_are_the_models_own() -> None:
    tracker = Tracker(smoothing=0.0)
    tracker.update(0.0, np.array([box(0)]), np.array([[1.0, 0.0]]))
    _, rows = tracker.update(0.1, np.array([box(0)]), np.array([[0.0, 1.0]]))
    assert rows.tolist() == [[0.0, 1.0]]


def test_probabilities_given_are_left_alone() -> None:
    tracker, given = Tracker(), np.array([[0.0, 1.0]])
    tracker.update(0.0, np.array([box(0)]), np.array([[1.0, 0.0]]))
    tracker.update(0.1, np.array([box(0)]), given)
    assert given.tolist() == [[0.0, 1.0]]
