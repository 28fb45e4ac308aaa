"""Non-maximum suppression, box regression, squares."""

from __future__ import annotations

import numpy as np
import pytest

from fer_tune.serving.faces.boxes import iou, shifted, squared, suppressed

BOXES = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [2, 2, 6, 6]])


def test_iou_of_known_boxes() -> None:
    np.testing.assert_allclose(iou(BOXES[0], BOXES), [1, 90 / 110, 0, 16 / 100])


def test_an_empty_box_overlaps_nothing() -> None:
    assert iou(np.zeros(4), np.zeros((1, 4))) == [0]


def test_of_overlapping_boxes_the_best_remains() -> None:
    scores = np.array([0.8, 0.9, 0.7, 0.6])
    assert suppressed(BOXES, scores, 0.5).tolist() == [1, 2, 3]
    assert suppressed(BOXES, scores, 0.5, "smaller").tolist() == [1, 2]
    assert suppressed(BOXES, scores, 0.9).tolist() == [1, 0, 2, 3]


def test_a_dropped_box_drops_no_other() -> None:
    """A chain: the second is dropped, so the third, which only the second overlaps, remains."""
    chain = np.array([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    assert suppressed(chain, np.array([0.9, 0.8, 0.7]), 0.4).tolist() == [0, 2]


def test_no_boxes() -> None:
    assert suppressed(np.zeros((0, 4)), np.zeros(0), 0.5).shape == (0,)


def test_suppression_agrees_with_torchvision() -> None:
    import torch
    from torchvision.ops import nms

    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (200, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 30, (200, 2))], axis=1)
    scores = rng.uniform(size=200)
    for limit in (0.3, 0.5, 0.7):
        expected = nms(torch.from_numpy(boxes), torch.from_numpy(scores), limit)
        assert suppressed(boxes, scores, limit).tolist() == expected.tolist()


def test_offsets_are_shares_of_the_sides() -> None:
    moved = shifted(np.array([[10.0, 20, 30, 60]]), np.array([[0.1, -0.1, 0.5, 0.0]]))
    np.testing.assert_allclose(moved, [[12, 16, 40, 60]])


@pytest.mark.parametrize("box", [[0.0, 0, 10, 20], [0.0, 0, 20, 10], [-5.0, 3, 2, 3.5]])
def test_squares_keep_the_centre_and_the_longer_side(box: list[float]) -> None:
    left, top, right, bottom = squared(np.array([box]))[0]
    assert right - left == bottom - top == max(box[2] - box[0], box[3] - box[1])
    assert (left + right, top + bottom) == (box[0] + box[2], box[1] + box[3])
