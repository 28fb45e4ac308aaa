"""Groups stay on one side of every split: where they come from, and shares of whole ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_pictures import noise, save
from split_writing import classes, counts, folder

from fer_tune.data import PackedDataset, cut, import_source
from fer_tune.data.listing import Entry, Listing, Reading
from fer_tune.data.packing.assignment import assign_groups
from fer_tune.data.packing.together import joined, numbered, share_of
from fer_tune.errors import DataError

# -- groups ---------------------------------------------------------------------------------------


def people(tmp_path: Path, splits: list[str]) -> Path:
    """Ten people, each with three happy and two sad pictures."""
    return folder(
        tmp_path / "people",
        [
            "/".join(part for part in (split, name, f"{k}_S{who:03d}_") if part)
            for split in splits
            for who in range(10)
            for name, number in (("happy", 3), ("sad", 2))
            for k in range(number)
        ],
    )


def who(found: PackedDataset, split: np.ndarray) -> set[str]:
    return {found.origins[i].partition("_")[2][:4] for i in split}


def test_people_stay_on_one_side_of_every_split(tmp_path: Path) -> None:
    source = str(people(tmp_path, [""]))
    report = import_source(source, tmp_path / "out", group_from=r"(S\d+)_", test_share=0.2, seed=5)
    assert "groups: 10 by --group-from" in report.found.notes
    found = PackedDataset.open(tmp_path / "out")
    assert found.subjects is not None and len(np.unique(found.subjects)) == 10
    assert counts(found) == {"train": 40, "test": 10}
    split = cut(found, validation_share=0.25, seed=1)
    assert len(split.validation) == 10
    sides = [who(found, part) for part in (split.train, split.validation, split.test)]
    assert sum(map(len, sides)) == 10 == len(set().union(*sides))
    for part in (split.validation, split.test):
        assert np.bincount(found.labels[part]).tolist() == [6, 4]


@pytest.mark.parametrize("pattern", [r"(?P<group>S\d+)_", r"\d_(S\d+)", r"S\d+"])
def test_groups_are_read_from_paths(pattern: str, tmp_path: Path) -> None:
    import_source(str(people(tmp_path, ["train", "test"])), tmp_path / "out", group_from=pattern)
    found = PackedDataset.open(tmp_path / "out")
    assert found.subjects is not None and len(np.unique(found.subjects)) == 10
    assert found.description["version"] == 2


def test_people_in_test_and_training_are_reported(tmp_path: Path) -> None:
    source = str(people(tmp_path, ["train", "test"]))
    report = import_source(source, tmp_path / "out", group_from=r"S\d+")
    assert report.found.notes == (
        "groups: 10 by --group-from",
        "10 of 10 groups have pictures in the test split and outside it",
    )


def test_pictures_that_match_no_group_are_alone(tmp_path: Path) -> None:
    source = people(tmp_path, ["train"])
    save(source / "train/happy/stray.png", noise(900))
    save(source / "train/sad/stray.png", noise(901))
    report = import_source(str(source), tmp_path / "out", group_from=r"S\d+")
    assert "groups: 10 by --group-from; 2 pictures match no group" in report.found.notes
    found = PackedDataset.open(tmp_path / "out")
    assert found.subjects is not None and len(np.unique(found.subjects)) == 12


def test_a_pattern_that_is_none_or_fits_nothing_is_refused(tmp_path: Path) -> None:
    source = str(people(tmp_path, ["train"]))
    with pytest.raises(DataError, match="is not a regular expression"):
        import_source(source, tmp_path / "out", group_from="(S")
    with pytest.raises(DataError, match=r"matches no picture.*such as train/happy/0_S000_\.png"):
        import_source(source, tmp_path / "out", group_from=r"subject\d")


def test_a_dataset_without_groups_is_as_before(tmp_path: Path) -> None:
    import_source(str(people(tmp_path, ["train", "test"])), tmp_path / "out")
    found = PackedDataset.open(tmp_path / "out")
    assert found.subjects is None and found.description["version"] == 1
    grouped = import_source(str(tmp_path / "people"), tmp_path / "grouped", group_from=r"S\d+")
    assert grouped.fingerprint != found.fingerprint, "another validation split will be cut"


def test_a_known_data_set_keeps_its_people_together_where_a_test_split_is_cut(
    tmp_path: Path,
) -> None:
    """With splits of its own it stays the dataset that earlier versions made of it."""
    names = [
        f"{name}/S{who:03d}_{k}"
        for who in range(10)
        for name in ("anger", "contempt", "happy")
        for k in "12"
    ]
    source = folder(tmp_path / "CK+48", names)
    import_source(str(source), tmp_path / "cut", test_share=0.2)
    found = PackedDataset.open(tmp_path / "cut")
    assert found.subjects is not None
    people = np.array([origin.rpartition("/")[2][:4] for origin in found.origins])
    sides = [set(people[found.splits == split]) for split in ("train", "test")]
    assert sides[0].isdisjoint(sides[1]) and len(sides[1]) == 2
    import_source(str(source), tmp_path / "as-is")
    assert PackedDataset.open(tmp_path / "as-is").subjects is None


def test_a_damaged_group_is_seen(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    import_source(str(people(tmp_path, ["train", "test"])), tmp_path / "out", group_from=r"S\d+")
    index = pq.read_table(tmp_path / "out/index.parquet")
    place = index.column_names.index("subject")
    for column in (pa.array(["x"] * len(index)), pa.nulls(len(index), pa.string())):
        pq.write_table(index.set_column(place, "subject", column), tmp_path / "out/index.parquet")
        with pytest.raises(DataError, match="damaged"):
            PackedDataset.open(tmp_path / "out")


# -- whole groups, about the right share ----------------------------------------------------------


def test_groups_that_share_a_picture_are_one() -> None:
    copies = np.array([0, 0, 1, 2, 3])
    subjects = numbered(np.array(["a", "b", "b", "", ""], object))
    found = joined(copies, subjects)
    assert found[0] == found[1] == found[2] and len(np.unique(found)) == 3


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 3)), min_size=2, max_size=120),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 9),
)
def test_any_share_is_of_whole_groups_and_leaves_some(
    rows: list[tuple[int, int]], share: float, seed: int
) -> None:
    groups, labels = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    mask = share_of(groups, labels, share, np.random.default_rng(seed))
    assert np.array_equal(mask, share_of(groups, labels, share, np.random.default_rng(seed)))
    for group in np.unique(groups):
        assert len(set(mask[groups == group])) == 1
    for label in np.unique(labels):
        own = labels == label
        assert not mask[own].all(), "some of every class are left"
        if len(np.unique(groups)) == len(groups) and own.sum() > 1:
            expected = min(max(round(share * int(own.sum())), 1), int(own.sum()) - 1)
            assert mask[own].sum() == expected


# -- notes and bounds -----------------------------------------------------------------------------


def test_the_note_on_a_cut_split_counts_what_was_moved(tmp_path: Path) -> None:
    source = str(people(tmp_path, [""]))
    report = import_source(source, tmp_path / "out", test_share=0.3, group_from=r"S\d+")
    total = counts(PackedDataset.open(tmp_path / "out"))
    (note,) = [one for one in report.found.notes if one.startswith("test split")]
    moved, all_of_them = total["test"], sum(total.values())
    expected = f"{moved:,} of {all_of_them:,} training pictures ({moved / all_of_them:.1%})"
    assert note == f"test split: {expected}"


def test_a_share_that_no_group_can_give_is_an_error(tmp_path: Path) -> None:
    source = str(folder(tmp_path / "in", classes([""])))
    with pytest.raises(DataError, match=r"no picture can be moved.*stay together.*--group-from"):
        import_source(source, tmp_path / "out", test_share=0.2, group_from=r"\.png$")
    assert not (tmp_path / "out").exists()


def test_a_pattern_that_fits_nothing_is_refused_where_the_source_has_groups(tmp_path: Path) -> None:
    for seed, name in enumerate(("AF01ANS", "AF01HAS", "AF02ANS", "AF02HAS")):
        save(tmp_path / "in" / f"{name}.png", noise(seed))
    with pytest.raises(DataError, match="matches no picture"):
        import_source(str(tmp_path / "in"), tmp_path / "out", group_from="zzz")


def test_long_paths_are_cut_before_the_users_expression_sees_them() -> None:
    origin = f"{'x' * 600}/S01_1.png"
    one = Entry(
        origin=origin, found="a", class_name="a", split=None, load=lambda: noise(0), group=None
    )
    with pytest.raises(DataError, match="matches no picture"):
        assign_groups(Listing(items=(one,)), Reading(group_from=r"S\d+"))
