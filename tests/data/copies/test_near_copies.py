"""Near copies among drawn faces: every kind of change is found, nothing else is."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.data.near_copies import KINDS
from fer_tune.data import PackedDataset, audit, cut, import_source
from fer_tune.data.audit_text import as_text
from fer_tune.data.copies import near_pairs, pack_groups, related_groups, unpack_groups
from fer_tune.data.copies.candidates import candidates
from fer_tune.data.copies.groups import connected, first_members
from fer_tune.data.copies.record import related_in, related_record, was_searched
from fer_tune.data.copies.review import write_review
from fer_tune.data.pixels import Pixels
from fer_tune.data.splits import related_of
from fer_tune.errors import DataError

#: Half the size and enlarged again, and four changes at once, are found less often.
WEAKEST = ("resized", "mirrored, cropped, relit, recompressed")


@pytest.fixture(scope="module")
def faces_of_a_set(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """120 drawn faces."""
    folder = tmp_path_factory.mktemp("near") / "packed"
    import_source("synthetic:120", folder)
    return PackedDataset.open(folder)


@pytest.fixture(scope="module")
def drawn(faces_of_a_set: PackedDataset) -> list[Pixels]:
    """Distinct drawn faces, none of them blank."""
    faces = faces_of_a_set
    firsts = np.unique(faces.groups, return_index=True)[1]
    return [faces.picture(int(n)) for n in firsts if faces.deviations[n] > 5]


def test_drawn_faces_are_alike_and_no_copies(drawn: list[Pixels]) -> None:
    assert len(drawn) > 100
    assert near_pairs(drawn) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_change_is_found(kind: str, drawn: list[Pixels]) -> None:
    rng = np.random.default_rng(len(kind))
    copies = [KINDS[kind](picture[:, :, 0], rng)[:, :, None] for picture in drawn[:30]]
    pairs = near_pairs([*drawn, *copies])
    found = {(pair.first, pair.second) for pair in pairs}
    planted = {(n, len(drawn) + n) for n in range(30)}
    assert found <= planted and len(found) >= (25 if kind in WEAKEST else 28)
    mirrored = {pair.mirrored for pair in pairs}
    assert mirrored == {kind.startswith("mirrored")}


def test_pictures_without_content_have_no_copies() -> None:
    flat = [np.full((20, 20, 1), shade, np.uint8) for shade in (0, 90, 255)]
    assert near_pairs(flat) == []
    assert near_pairs([]) == []


def test_colour_and_size_do_not_matter(drawn: list[Pixels]) -> None:
    grey = drawn[0]
    tinted = np.repeat(grey, 3, axis=2)
    tinted[:, :, 2] //= 2
    assert len(near_pairs([grey, drawn[1], tinted])) == 1


def test_groups_hold_what_copies_connect() -> None:
    assert connected(6, [(4, 1), (5, 4), (2, 3)]).tolist() == [0, 1, 2, 2, 1, 1]
    assert connected(5, [(4, 1), (4, 0)]).tolist() == [0, 0, 2, 3, 0]
    assert connected(6, [(1, 0), (3, 2), (5, 4), (3, 1), (5, 3)]).tolist() == [0] * 6
    assert first_members(np.array([7, 3, 7, 3, 1])).tolist() == [0, 1, 0, 1, 4]


def test_groups_are_packed_without_loss() -> None:
    groups = np.array([0, 1, 0, 3, 3, 5, 0])
    assert unpack_groups(pack_groups(groups), 7).tolist() == groups.tolist()
    alone = np.arange(9)
    assert unpack_groups(pack_groups(alone), 9).tolist() == alone.tolist()


def test_a_record_is_read_as_it_was_written() -> None:
    groups = np.array([0, 0, 1, 2, 3, 3])
    related = np.array([0, 0, 2, 0, 4, 4])
    record = json.loads(json.dumps(related_record(related, groups)))
    assert record["groups"] == ["0 3"]
    found = related_in(record, groups)
    assert found is not None and found.tolist() == related.tolist()


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {"version": 99, "groups": []},
        {"version": 1},
        {"version": 1, "groups": [[0, 2]]},
        {"version": 1, "groups": ["0 x"]},
        {"version": 1, "groups": ["0 9"]},
        {"version": 1, "groups": ["-1 2"]},
        {"version": 1, "groups": ["0 1"]},
        {"version": 1, "groups": ["0 2", "2 3"]},
    ],
)
def test_an_invalid_record_counts_as_absent(record: object) -> None:
    assert related_in(record, np.array([0, 0, 1, 2])) is None


@pytest.fixture
def packed(drawn: list[Pixels], tmp_path: Path) -> PackedDataset:
    """Twenty faces in training; five of them mirrored in test, one as it is."""
    from PIL import Image

    def save(place: str, pixels: Pixels) -> None:
        path = tmp_path / "source" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[:, :, 0]).save(path)

    for n, picture in enumerate(drawn[:30]):
        split, label = ("train" if n < 20 else "test"), ("happy", "sad")[n % 2]
        save(f"{split}/{label}/{n}.png", picture)
    for n in range(5):
        save(f"test/{('happy', 'sad')[n % 2]}/mirrored{n}.png", drawn[n][:, ::-1])
    save("test/sad/same.png", drawn[7])
    import_source(str(tmp_path / "source"), tmp_path / "packed")
    return PackedDataset.open(tmp_path / "packed")


def test_the_audit_counts_near_copies_beside_exact_ones(packed: PackedDataset) -> None:
    found = audit(packed)
    assert (found.copy_groups, found.groups_across_splits, found.test_in_training) == (1, 1, 1)
    assert (found.near_groups, found.near_pictures, found.near_across_splits) == (5, 10, 5)
    assert (found.near_in_training, found.near_in_validation) == (5, 0)
    assert found.near_left_by_exact == 5


def test_too_many_pictures_are_not_searched(
    packed: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_tune.data.copies.groups.MOST_SEARCHED", 30)
    import_source(str(tmp_path / "source"), tmp_path / "many")
    monkeypatch.undo()
    # The record says so, whatever the bound is later.
    many = PackedDataset.open(tmp_path / "many")
    found = audit(many)
    assert found.copy_groups == 1 and found.near_groups is found.near_left_by_exact is None
    assert np.array_equal(many.related, first_members(many.groups))
    assert "near copies: not searched for (above 300,000 pictures)" in as_text(found, 100)
    assert audit(packed).near_groups == 5 and "not searched" not in as_text(audit(packed), 100)
    # Nor are they in a dataset without a record.
    assert was_searched(None, packed.groups)
    monkeypatch.setattr("fer_tune.data.copies.groups.MOST_SEARCHED", 30)
    assert not was_searched(None, packed.groups)
    with pytest.raises(DataError, match="not searched for among more than"):
        write_review(packed, tmp_path / "page.html", most=10)


def test_what_exact_copies_leave_is_counted_once(drawn: list[Pixels], tmp_path: Path) -> None:
    """A test picture with exact copies, too, and with near copies in two splits."""

    def save_as(place: str, pixels: Pixels) -> None:
        path = tmp_path / "source" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[:, :, 0]).save(path)

    one, other, third = drawn[:3]
    for n, picture in enumerate(drawn[:14]):
        if n > 2:
            save_as(f"{('train', 'val', 'test')[n % 3]}/{('happy', 'sad')[n % 2]}/{n}.png", picture)
    for split in ("train", "test"):
        save_as(f"{split}/happy/one.png", one)
        save_as(f"{split}/happy/third.png", third)
    for split in ("train", "val"):
        save_as(f"{split}/happy/one_mirrored.png", one[:, ::-1])
    save_as("test/happy/other.png", other)
    for split in ("train", "val"):
        save_as(f"{split}/happy/other_mirrored.png", other[:, ::-1])
    # Near copies of each other in test, and an exact copy of one of them in training.
    save_as("test/happy/third_mirrored.png", third[:, ::-1])
    import_source(str(tmp_path / "source"), tmp_path / "packed")
    dataset = PackedDataset.open(tmp_path / "packed")
    found = audit(dataset)
    split = cut(dataset, validation_share=0.2, seed=0, leaks="exact")
    outside = np.concatenate([split.train, split.validation])
    left = np.isin(dataset.related[split.test], dataset.related[outside])
    assert found.near_left_by_exact == left.sum() == 2
    assert found.near_in_training + found.near_in_validation != 2


def test_near_copies_are_leaks_unless_only_exact_ones_are_wanted(packed: PackedDataset) -> None:
    dropped = cut(packed, validation_share=0.2, seed=0)
    assert dropped.dropped["leaked"] == 6 and dropped.leaked[dropped.test].sum() == 6
    exact = cut(packed, validation_share=0.2, seed=0, leaks="exact")
    assert exact.dropped["leaked"] == 1 and exact.leaked[exact.test].sum() == 1
    kept = cut(packed, validation_share=0.2, seed=0, leaks="keep")
    assert kept.dropped["leaked"] == 0 and kept.leaked[kept.test].sum() == 6
    assert np.array_equal(related_of(packed, "drop", version=1), packed.groups)
    with pytest.raises(DataError, match="drop, keep or exact"):
        cut(packed, validation_share=0.2, seed=0, leaks="other")  # type: ignore[arg-type]


def test_near_copies_stay_on_one_side_of_the_cut(drawn: list[Pixels], tmp_path: Path) -> None:
    from PIL import Image

    for n, picture in enumerate(drawn[:24]):
        label = ("happy", "sad")[n % 2]
        for name, pixels in (("a", picture), ("b", picture[:, ::-1])):
            path = tmp_path / f"source/{'test' if n > 19 else 'train'}/{label}/{n}{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[:, :, 0]).save(path)
    import_source(str(tmp_path / "source"), tmp_path / "packed")
    packed = PackedDataset.open(tmp_path / "packed")
    for seed in range(5):
        split = cut(packed, validation_share=0.4, seed=seed)
        assert not np.isin(packed.related[split.train], packed.related[split.validation]).any()


def test_a_dataset_of_an_earlier_version_is_searched_on_demand(
    packed: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    related, root = packed.related.tolist(), packed.root
    description = json.loads((root / "dataset.json").read_text())
    del description["near_copies"]
    (root / "dataset.json").write_text(json.dumps(description))
    older = PackedDataset.open(root)
    assert older.recorded_related is None and older.fingerprint == packed.fingerprint
    assert older.related.tolist() == related

    def never(*_: object) -> None:
        raise AssertionError("it was kept beside the dataset")

    monkeypatch.setattr("fer_tune.data.copies.record.related_groups", never)
    assert PackedDataset.open(root).related.tolist() == related
    monkeypatch.undo()
    (root / "near_copies.json").write_text("torn")
    assert PackedDataset.open(root).related.tolist() == related


def test_related_groups_are_those_of_the_record(packed: PackedDataset) -> None:
    found = related_groups(packed.groups, packed.picture)
    assert found.tolist() == packed.related.tolist()
    assert np.unique(found).size == 20 + 10


def test_the_search_reports_how_far_it_is(packed: PackedDataset, tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    import_source(
        str(tmp_path / "source"),
        tmp_path / "again",
        searching=lambda done, total: reported.append((done, total)),
    )
    contents = len(np.unique(packed.groups))
    assert reported == sorted(reported) and {total for _, total in reported} == {2 * contents}
    assert contents <= reported[0][0] < reported[-1][0] == 2 * contents


def test_thumbnails_are_in_memory_once(drawn: list[Pixels]) -> None:
    count, one = 20_000, 48 * 48
    tracemalloc.start()
    stopped: list[int] = []

    def stop(done: int, total: int) -> None:
        stopped.append(tracemalloc.get_traced_memory()[0])
        raise KeyboardInterrupt

    flat = np.full((48, 48, 1), 7, np.uint8)
    pictures = (drawn[n] if n < 20 else flat for n in range(count))
    with pytest.raises(KeyboardInterrupt):
        near_pairs(pictures, count, stop)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stopped and peak < 1.3 * count * one


def test_descriptors_take_little_memory_beside_the_thumbnails() -> None:
    thumbnails = np.random.default_rng(0).integers(0, 255, (6_000, 48, 48), np.uint8)
    tracemalloc.start()
    candidates(thumbnails)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * thumbnails.nbytes
