"""Which features are kept: the whole cycle or nothing, and never what is cheaper to compute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_tune.features.bank import FeatureBank
from fer_tune.features.decision import CutSize, Reads, decide
from fer_tune.features.resident import ResidentFeatures
from tests.features.sources import ALL, Counting, provider

MIB = 2**20
#: Row sizes and costs as of a ResNet at 48 px: the middle ones are the largest.
CUTS = {
    0: CutSize(row_bytes=8_192, operations=1_100_000_000),
    1: CutSize(row_bytes=36_864, operations=980_000_000),
    2: CutSize(row_bytes=73_728, operations=250_000_000),
    3: CutSize(row_bytes=147_456, operations=72_000_000),
    4: CutSize(row_bytes=36_864, operations=11_000_000),
}
READS = Reads(views=6, again=True, train=1000, validation=200)


def plain_bytes(depth: int, rows: int) -> int:
    return rows * (CUTS[depth].row_bytes if depth in CUTS else 48 * 48)


def decided(depth: int, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "cuts": {d: size for d, size in CUTS.items() if d >= depth},
        "sampled": range(6),
        "reads": READS,
        "room": 10**12,
        "crop_size": 48,
        "device": "cpu",
        "entry_bytes": plain_bytes,
        **changes,
    }
    return decide(depth, given.pop("cuts"), given.pop("sampled"), given.pop("reads"), **given)


@pytest.mark.parametrize("depth", [0, 1, 4])
@pytest.mark.parametrize("views", [1, 2, 6])
def test_the_room_must_hold_all_views_and_validation(depth: int, views: int) -> None:
    reads = replace(READS, views=views)
    cycle = CUTS[depth].row_bytes * (views * 1000 + 200)
    own = decided(depth, reads=reads, sampled=[depth], room=cycle)
    assert (own.train, own.validation, own.size, own.reason) == (True, True, cycle, "kept")
    short = decided(depth, reads=reads, sampled=[depth], room=cycle - 1)
    assert (short.train, short.validation, short.size, short.reason) == (False, False, 0, "no room")


def test_views_that_are_read_once_are_not_kept_and_validation_is() -> None:
    found = decided(1, reads=replace(READS, again=False), sampled=[1, 2], room=30 * MIB)
    assert (found.train, found.validation, found.reason) == (False, True, "read once")
    assert found.size == 200 * (36_864 + 73_728) and found.byproducts == (2,)


def test_byproducts_are_the_sampled_cuts_that_fit_smallest_first() -> None:
    per_row = READS.views * READS.train + READS.validation
    assert decided(0).byproducts == (1, 2, 3, 4)
    assert decided(2).byproducts == (3, 4), "what the prefix passes"
    assert decided(0, sampled=[0, 1, 2]).byproducts == (1, 2)
    assert decided(0, sampled=[0]).byproducts == ()
    room = per_row * (8_192 + 36_864 + 36_864)
    assert decided(0, room=room).byproducts == (1, 4)
    assert decided(0, room=room - 1).byproducts == (1,)
    assert decided(0, room=room).size == room


@pytest.mark.parametrize(
    ("device", "depth", "row", "operations", "crop", "kept"),
    [
        ("cpu", 5, 48 * 48, 0, 48, True),  # a view takes 200 µs, its row 2
        ("cpu", 5, 3 * 224 * 224, 0, 224, True),
        ("cpu", 4, 36_864, 11_000_000, 48, True),
        ("cpu", 1, 4_224, 667_000_000, 48, True),
        ("cuda", 5, 48 * 48, 0, 48, False),
        ("cuda", 5, 3 * 224 * 224, 0, 224, False),
        ("cuda", 4, 18_432, 11_000_000, 48, False),
        ("cuda", 1, 18_432, 980_000_000, 48, True),
        ("cuda", 0, 4_096, 1_100_000_000, 48, True),
    ],
)
def test_what_is_cheaper_to_compute_is_not_kept(
    device: str, depth: int, row: int, operations: int, crop: int, kept: bool
) -> None:
    cut = {depth: CutSize(row_bytes=row, operations=operations)}
    found = decided(
        depth,
        cuts=cut,
        crop_size=crop,
        device=device,
        entry_bytes=lambda _, rows: rows * row,
    )
    assert (found.train, found.validation) == (kept, kept)
    assert (found.reason == "cheaper to compute") is not kept


def test_a_byproduct_that_is_cheaper_to_compute_is_not_kept() -> None:
    halved = {d: replace(size, row_bytes=size.row_bytes // 2) for d, size in CUTS.items()}
    assert decided(0, cuts=halved, device="cuda").byproducts == (1,)


# -- with a real bank -------------------------------------------------------------------------


def entries(folder: Path) -> int:
    return len(list(folder.glob("[!.]*.npy")))


def test_more_than_fits_evicts_the_next_and_what_fits_hits(tmp_path: Path) -> None:
    """Why a cycle is kept whole: six views with room for five never hit."""
    size = provider(Counting(), None)._entry(4, 0).size
    for room, hits in ((6, 6), (5, 0)):
        features = provider(Counting(), FeatureBank(tmp_path / str(room), max_bytes=room * size))
        rounds = [[features.view(view).hit for view in range(6)] for _ in range(2)]
        assert rounds[0] == [False] * 6 and rounds[1].count(True) == hits


def test_nothing_is_written_against_the_decision(tmp_path: Path) -> None:
    bank = FeatureBank(tmp_path)
    places = np.arange(10)
    decision = replace(ALL, train=False)
    features = provider(Counting(), bank, decision=decision)
    assert features.view(0).hit is None and entries(tmp_path) == 0
    assert features.view(0).rows(places).shape == (10, 3, 4, 4)
    assert features.view(None).hit is False and entries(tmp_path) == 1
    neither = provider(Counting(), bank, decision=replace(decision, validation=False))
    assert neither.view(None).hit is None


# -- several cuts -----------------------------------------------------------------------------


def stages(depths: int) -> list[Counting]:
    torch.manual_seed(0)
    return [Counting(1 if number == 0 else 3) for number in range(depths)]


@pytest.mark.parametrize("byproducts", [(), (4,), (3, 4), (2, 3)])
def test_a_pass_keeps_the_cuts_that_it_passes(tmp_path: Path, byproducts: tuple[int, ...]) -> None:
    bank = FeatureBank(tmp_path)
    decision = replace(ALL, byproducts=byproducts)
    deep = provider(stages(4), bank, decision=decision)
    assert deep.view(0).hit is False
    assert entries(tmp_path) == 1 + len(byproducts)
    for depth in (2, 3, 4):
        run = stages(5 - depth)
        source = provider(run, bank).view(0)
        assert source.hit is (depth in byproducts)
        expected = provider(stages(5 - depth), None).view(0)
        assert torch.equal(source.rows(np.arange(300)), expected.rows(np.arange(300)))


def test_a_view_that_is_read_once_leaves_no_other_cut(tmp_path: Path) -> None:
    decision = replace(ALL, train=False, byproducts=(3, 4))
    resident = ResidentFeatures(limit=2**20)
    deep = provider(stages(4), FeatureBank(tmp_path), decision=decision, resident=resident)
    deep.view(0)
    assert entries(tmp_path) == 0
    deep.view(None)
    assert entries(tmp_path) == 3


@pytest.mark.parametrize("view", [0, None])
def test_a_pass_continues_from_the_nearest_deeper_cut(tmp_path: Path, view: int | None) -> None:
    bank = FeatureBank(tmp_path)
    for depth in (4, 3):
        provider(stages(5 - depth), bank).view(view)
    run = stages(4)
    source = provider(run, bank).view(view)
    assert [len(stage.seen) for stage in run] == [0, 0, 3, 3], "from depth 3, not from pixels"
    expected = provider(stages(4), None).view(view)
    assert torch.equal(source.rows(np.arange(300)), expected.rows(np.arange(300)))
    other = stages(4)
    provider(other, bank).view(1)
    assert [len(stage.seen) for stage in other] == [3, 3, 3, 3], "another view has no entry"


def test_a_byproduct_costs_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = FeatureBank(tmp_path)
    kept = replace(ALL, byproducts=(3, 4))
    features = provider(stages(3), bank, decision=kept)
    blocked = features._entry(4, 0)
    make_room = FeatureBank._make_room

    def failing(self: FeatureBank, wanted: int) -> None:
        make_room(self, wanted)
        if (tmp_path / features._entry(2, 0).name).exists() or len(list(tmp_path.glob(".*.npy"))):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(FeatureBank, "_make_room", failing)
    assert features.view(0).hit is False
    assert entries(tmp_path) == 1 and not (tmp_path / blocked.name).exists()
    assert list(tmp_path.glob(".*.npy")) == []


def test_a_byproduct_that_another_process_writes_is_left_to_it(tmp_path: Path) -> None:
    from fer_tune.storage.private import private_lock

    bank = FeatureBank(tmp_path)
    features = provider(stages(2), bank, decision=replace(ALL, byproducts=(4,)))
    with private_lock(tmp_path / f".{features._entry(4, 0).key}.lock"):
        assert features.view(0).hit is False, "it does not wait"
    assert entries(tmp_path) == 1


def test_a_failed_pass_keeps_no_cut(tmp_path: Path) -> None:
    run = stages(2)

    def broken(_: torch.Tensor) -> torch.Tensor:
        if len(run[0].seen) == 2:
            raise ValueError("no more")
        return torch.zeros(128, 3, 4, 4)

    run[1].forward = broken  # type: ignore[method-assign]
    features = provider(run, FeatureBank(tmp_path), decision=replace(ALL, byproducts=(4,)))
    with pytest.raises(ValueError, match="no more"):
        features.view(0)
    assert list(tmp_path.glob("*.npy")) + list(tmp_path.glob(".*.npy")) == []
