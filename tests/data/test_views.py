"""Views: each picture's view depends on (seed, policy, view, position) alone, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fer_tune.data.views import CHUNK, POLICIES, chunks, view_pictures


class InMemory:
    """The part of a packed dataset that views ask for."""

    def __init__(self, pictures: list[NDArray[np.uint8]]) -> None:
        self._pictures = pictures
        self.sizes = np.array([p.shape[:2] for p in pictures], dtype=np.int64)
        self.channels = pictures[0].shape[2]

    def picture(self, position: int) -> NDArray[np.uint8]:
        return self._pictures[position]


def noisy(count: int, *, channels: int = 1) -> InMemory:
    """``count`` pictures of noise, most 48 x 48, some of other sizes and shapes."""
    rng = np.random.default_rng(0)
    shapes = [(48, 48), (48, 48), (40, 40), (48, 48), (64, 50)]
    return InMemory(
        [
            rng.integers(0, 256, (*shapes[i % len(shapes)], channels), dtype=np.uint8)
            for i in range(count)
        ]
    )


def view(dataset: InMemory, positions: Any, **changes: Any) -> torch.Tensor:
    options: dict[str, Any] = {
        "crop_size": 48, "policy": "plain", "view": 0, "seed": 0, "resize_ratio": 1.14,
    }  # fmt: skip
    return view_pictures(dataset, np.asarray(positions, dtype=np.int64), **(options | changes))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("number", [0, None])
def test_shape_and_type(channels: int, policy: str, number: int | None) -> None:
    made = view(noisy(6, channels=channels), range(6), policy=policy, view=number, crop_size=32)
    assert made.shape == (6, channels, 32, 32) and made.dtype == torch.uint8
    assert made.is_contiguous()


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("number", [3, None])
def test_any_subset_and_order_gives_the_same_bits(policy: str, number: int | None) -> None:
    dataset = noisy(2 * CHUNK + 9)
    whole = view(dataset, range(len(dataset.sizes)), policy=policy, view=number)
    rng = np.random.default_rng(1)
    for size in (1, 2, 17, CHUNK, CHUNK + 1, len(dataset.sizes)):
        positions = rng.permutation(len(dataset.sizes))[:size]
        assert torch.equal(view(dataset, positions, policy=policy, view=number), whole[positions])


def test_every_picture_alone_gives_the_same_bits() -> None:
    dataset = noisy(CHUNK)
    whole = view(dataset, range(CHUNK), policy="strong", view=1)
    alone = torch.cat([view(dataset, [i], policy="strong", view=1) for i in range(CHUNK)])
    assert torch.equal(alone, whole)


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_one_and_two_threads_give_the_same_bits(policy: str) -> None:
    dataset = noisy(CHUNK + 5)
    with threads(1):
        one = view(dataset, range(CHUNK + 5), policy=policy, crop_size=64)
    with threads(2):
        two = view(dataset, range(CHUNK + 5), policy=policy, crop_size=64)
    assert torch.equal(one, two)


@pytest.mark.parametrize("change", [{"view": 1}, {"seed": 1}, {"policy": "moderate"}])
def test_seed_policy_and_view_each_matter(change: dict[str, Any]) -> None:
    dataset = noisy(8)
    assert not torch.equal(view(dataset, range(8)), view(dataset, range(8), **change))


def test_the_global_generators_are_neither_read_nor_moved() -> None:
    dataset = noisy(4)
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    first = view(dataset, range(4), policy="strong")
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(view(dataset, range(4), policy="strong"), first)


def test_the_evaluation_view_is_the_centre_and_knows_no_chance() -> None:
    picture = np.zeros((48, 48, 1), dtype=np.uint8)
    picture[20:28, 20:28] = 255
    dataset = InMemory([picture])
    made = view(dataset, [0], view=None)
    assert torch.equal(made, view(dataset, [0], view=None, seed=9, policy="strong"))
    rows, columns = torch.nonzero(made[0, 0] > 127, as_tuple=True)
    assert abs(float(rows.float().mean()) - 23.5) <= 0.75
    assert abs(float(columns.float().mean()) - 23.5) <= 0.75


def test_a_ratio_of_one_at_the_pictures_own_size_changes_no_pixel() -> None:
    dataset = InMemory([noisy(1).picture(0)])
    made = view(dataset, [0], view=None, resize_ratio=1.0)
    np.testing.assert_array_equal(made[0].permute(1, 2, 0).numpy(), dataset.picture(0))


def test_plain_views_are_crops_and_flips_of_the_resized_picture() -> None:
    dataset = InMemory([noisy(1).picture(0)] * 200)
    side = 55
    whole = view(dataset, [0], view=None, crop_size=side, resize_ratio=1.0)[0, 0]
    allowed = {
        whole[t : t + 48, left : left + 48].numpy().tobytes(): (t, left, False)
        for t in range(side - 47)
        for left in range(side - 47)
    }
    allowed |= {
        whole.flip(1)[t : t + 48, left : left + 48].numpy().tobytes(): (t, side - 48 - left, True)
        for t in range(side - 47)
        for left in range(side - 47)
    }
    seen = [allowed[p[0].numpy().tobytes()] for p in view(dataset, range(200))]
    for place in (0, 1):
        assert {entry[place] for entry in seen} == set(range(side - 47))
    assert 70 < sum(flipped for _, _, flipped in seen) < 130


def _side_by_side(value: int) -> InMemory:
    return InMemory([np.full((48, 48, 1), value, dtype=np.uint8)] * 300)


@pytest.mark.parametrize("policy", ["moderate", "strong"])
def test_brightness_stays_within_the_policy(policy: str) -> None:
    made = view(_side_by_side(128), range(300), policy=policy).float().mean(dim=(1, 2, 3))
    limit = 255 * POLICIES[policy].brightness
    assert (made - 128).abs().max() <= limit + 1
    assert made.min() < 128 - limit / 2 and made.max() > 128 + limit / 2


def test_only_strong_erases() -> None:
    assert [name for name, policy in POLICIES.items() if policy.erase] == ["strong"]


def test_erasing_blanks_one_rectangle_in_about_half_the_pictures() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (48, 48, 1), dtype=np.uint8)
    made = view(InMemory([pixels] * 200), range(200), policy="strong", resize_ratio=1.0)
    # Noise has no flat 5 x 5 window unless something blanked it.
    windows = made.float().unfold(2, 5, 1).unfold(3, 5, 1).std(dim=(-1, -2))
    flat = (windows[:, 0] == 0).flatten(1)
    assert 0.35 < flat.any(dim=1).float().mean() < 0.65
    assert flat.float().mean(dim=1).max() < 0.25


def test_turning_keeps_the_centre_and_moves_the_edge() -> None:
    picture = np.zeros((48, 48, 1), dtype=np.uint8)
    picture[:, 22:26] = 255
    dataset = InMemory([picture] * 60)
    made = view(dataset, range(60), policy="moderate", resize_ratio=1.0).float()[:, 0]
    columns = torch.arange(48.0)

    def place(row: int) -> torch.Tensor:
        ink = made[:, row] - made[:, row].amin(dim=1, keepdim=True)
        return (ink * columns).sum(1) / ink.sum(1)

    assert (place(24) - 23.5).abs().max() < 0.6
    limit = 24 * np.tan(np.deg2rad(POLICIES["moderate"].rotation))
    assert limit / 2 < (place(1) - 23.5).abs().max() < limit + 0.6


def test_chunks_cover_the_positions_in_order() -> None:
    positions = np.arange(2 * CHUNK + 3)
    parts = list(chunks(positions))
    assert [len(part) for part in parts] == [CHUNK, CHUNK, 3]
    np.testing.assert_array_equal(np.concatenate(parts), positions)
