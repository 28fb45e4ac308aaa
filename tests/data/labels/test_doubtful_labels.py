"""Labels that would be a guess: of missing pictures, scores, absent values, several files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labels_writing import by_origin, counted, lines, listed, pixels, png, put

from fer_tune.errors import DataError

# -- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "images/", "/home/them/faces/", "C:\\them\\"])
def test_a_missing_picture_is_not_taken_from_another_folder(before: str, tmp_path: Path) -> None:
    for seed, name in enumerate(("S001/001", "S005/002")):
        put(tmp_path / "images" / f"{name}.png", seed)
    rows = ("S001/001.png,sad", "S006/002.png,happy")
    lines(tmp_path / "l.csv", "image,emotion", *(before + row for row in rows))
    found = listed(tmp_path, files=("l.csv",))
    assert by_origin(found) == {"images/S001/001.png": "sad"} and found.skipped == []
    assert any("1 row has no picture" in note for note in found.found.notes)
    # Nor is it ambiguous where several folders have a picture of that name.
    put(tmp_path / "images/S007/002.png", 9)
    assert by_origin(listed(tmp_path, files=("l.csv",))) == {"images/S001/001.png": "sad"}


def test_folders_of_one_split_are_the_same_in_other_words(tmp_path: Path) -> None:
    for seed, name in enumerate(("train/1", "Testing/2")):
        put(tmp_path / f"{name}.png", seed)
    lines(tmp_path / "l.csv", "image,emotion", "train/1.png,sad", "test/2.png,happy")
    found = by_origin(listed(tmp_path, files=("l.csv",)))
    assert found == {"train/1.png": "sad", "Testing/2.png": "happy"}


def test_a_picture_that_rows_find_in_two_folders_is_skipped(tmp_path: Path) -> None:
    put(tmp_path / "cropped/002.png", 0)
    put(tmp_path / "cropped/003.png", 1)
    rows = ("S005/002.png,sad", "S006/002.png,sad", "S005/003.png,happy", "S005/003.png,happy")
    lines(tmp_path / "l.csv", "image,emotion", *rows)
    found = listed(tmp_path, files=("l.csv",))
    assert by_origin(found) == {"cropped/003.png": "happy"}
    assert [one.reason for one in found.skipped] == [
        "rows name it as 'S005/002.png' and 'S006/002.png'"
    ]


def test_labels_that_are_also_names_of_pictures_are_labels(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / f"{number}.jpg", number)
    # Two more rows than pictures: every label is the name of a picture, not every file is.
    rows = (f"{n}.jpg,{n % 7}" for n in range(22))
    found = listed(lines(tmp_path / "l.csv", "image,label", *rows).parent, files=("l.csv",))
    assert by_origin(found) == {f"{n}.jpg": str(n % 7) for n in range(20)}


@pytest.mark.parametrize("name", ["fold", "set", "subset", "phase"])
def test_a_column_of_folds_or_series_is_no_split(name: str, tmp_path: Path) -> None:
    for number in range(10):
        put(tmp_path / f"{number}.jpg", number)
    rows = (f"{n}.jpg,{('happy', 'sad')[n % 2]},{n % 5}" for n in range(10))
    lines(tmp_path / "l.csv", f"image,label,{name}", *rows)
    found = listed(tmp_path, files=("l.csv",))
    assert found.skipped == [] and counted(found) == {("happy", "train"): 5, ("sad", "train"): 5}


def test_a_named_split_column_keeps_unknown_splits_out(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path / f"{number}.jpg", number)
    rows = (f"{n}.jpg,{('happy', 'sad')[n % 2]},{('train', 'odd')[n // 2]}" for n in range(4))
    lines(tmp_path / "l.csv", "image,label,set", *rows)
    found = listed(tmp_path, files=("l.csv",))
    assert len(found.entries) == 2 and {one.reason for one in found.skipped} == {
        "unknown split 'odd'"
    }


# -- arrays -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0.3, -0.2], [0.9, 0.1], [-0.5, 0.5]]),  # valence and arousal
        np.array([[0.3, 0.7], [0.9, 0.1], [0.5, 0.5]]),
        np.array([[1, 1], [1, 0], [0, 1]]),
        np.array([[0, 0], [1, 0], [0, 1]]),
        np.array([["a", "b"]] * 3),
        np.array([0.3, 0.7, 0.1]),
        np.array([0.0, 1.0, np.nan]),
        np.array([0.0, 1.0, np.inf]),
        np.array([0, 1j, 2]),
        np.array(["2020", "2021", "2022"], dtype="datetime64[Y]"),
        np.array([b"a", b"b", b"\xff"]),
    ],
)
def test_scores_are_no_classes(values: np.ndarray, tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"{number}.png", number)
    np.save(tmp_path / "y.npy", values)
    with pytest.raises(DataError, match="one class per picture: a name, a whole number, or a row"):
        listed(tmp_path, files=("y.npy",))


def test_names_as_bytes_are_text(tmp_path: Path) -> None:
    for number in range(2):
        put(tmp_path / f"{number}.png", number)
    np.save(tmp_path / "y.npy", np.array([b"happy", "трист".encode()]))
    assert set(by_origin(listed(tmp_path, files=("y.npy",))).values()) == {"happy", "трист"}


@pytest.mark.parametrize("kind", [bool, np.int8, np.float32])
def test_one_hot_rows_are_classes(kind: type, tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"{number}.png", number)
    np.save(tmp_path / "y.npy", np.eye(3, dtype=kind)[[2, 0, 1]])
    found = by_origin(listed(tmp_path, files=("y.npy",)))
    assert found == {"0.png": "2", "1.png": "0", "2.png": "1"}


# -- Hugging Face -----------------------------------------------------------------------------


def test_absent_values_of_a_parquet_file_are_absent(tmp_path: Path) -> None:
    columns = {
        "image": [{"bytes": png(n), "path": None} for n in range(5)],
        "label": pa.array([0.0, 1.0, 0.0, 1.0, float("nan")]),
        "subject": pa.array([7.0, None, float("nan"), 7.0, None]),
        "split": ["test", "test", None, "", "test"],
    }
    pq.write_table(pa.table(columns), tmp_path / "train.parquet")
    found = listed(tmp_path)
    assert [entry.group for entry in found.entries] == ["7", None, None, "7"]
    assert [entry.split for entry in found.entries] == ["test", "test", "train", "train"]
    assert [one.reason for one in found.skipped] == ["has no label"]


def test_absent_values_of_a_table_are_absent(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"{number}.png", number)
    table = {
        "file": [f"{n}.png" for n in range(3)],
        "label": ["happy", "sad", "sad"],
        "subject": pa.array([1.0, float("nan"), None]),
    }
    pq.write_table(pa.table(table), tmp_path / "l.parquet")
    assert [entry.group for entry in listed(tmp_path).entries] == ["1", None, None]


# -- several files ----------------------------------------------------------------------------


def test_an_array_must_be_the_only_file(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path / f"{number}.png", number)
    np.save(tmp_path / "a.npy", np.arange(4))
    np.save(tmp_path / "b.npy", np.arange(4))
    table = lines(tmp_path / "l.csv", "image,label", "0.png,happy", "1.png,sad")
    for files in (("a.npy", "b.npy"), ("a.npy", table.name)):
        with pytest.raises(DataError, match=rf"{files[0]}, {files[1]}"):
            listed(tmp_path, files=files)


def test_all_given_tables_of_pixels_are_read(tmp_path: Path) -> None:
    for seed, name in enumerate(("train", "test", "other")):
        rows = (f"{n},{pixels(10 * seed + n)}" for n in range(3))
        lines(tmp_path / f"{name}.csv", "emotion,pixels", *rows)
    found = listed(tmp_path, files=("train.csv", "test.csv"))
    assert len(found.entries) == 6 and {entry.split for entry in found.entries} == {"train", "test"}


def test_tables_of_labels_are_joined_to_those_of_their_split(tmp_path: Path) -> None:
    for seed, name in enumerate(("train", "test")):
        rows = (f"{n},{pixels(10 * seed + n)}" for n in range(3))
        lines(tmp_path / f"{name}.csv", "emotion,pixels", *rows)
        lines(
            tmp_path / f"{name}_labels.csv", "label,agreed", *(f"{name[1]}{n},1" for n in range(3))
        )
    found = listed(tmp_path, files=("test_labels.csv", "train_labels.csv"))
    assert by_origin(found) == {
        f"{name}.csv:{n + 2}": f"{name[1]}{n}" for name in ("train", "test") for n in range(3)
    }
    for files in (("train_labels.csv",), ("train_labels.csv", "train_labels.csv")):
        with pytest.raises(DataError, match=r"cannot be used together.*train_labels\.csv"):
            listed(tmp_path, files=files)


@pytest.mark.parametrize("columns", ["id,pixels", "pixels,Usage", "pixels"])
def test_labels_are_joined_to_pictures_without_labels(columns: str, tmp_path: Path) -> None:
    cells = {"Usage": "Training"}
    rows = (
        ",".join(
            cells.get(name, str(n) if name == "id" else pixels(n)) for name in columns.split(",")
        )
        for n in range(6)
    )
    lines(tmp_path / "faces.csv", columns, *rows)
    lines(tmp_path / "l.csv", "label", *("happy", "sad") * 3)
    found = listed(tmp_path, files=("l.csv",))
    assert [entry.class_name for entry in found.entries] == ["happy", "sad"] * 3


def test_pictures_alone_are_told_from_those_with_labels(tmp_path: Path) -> None:
    # As in the challenge on Kaggle, where test.csv has one column; its cells have spaces.
    lines(tmp_path / "train.csv", "emotion,pixels", *(f"{n % 3},{pixels(n)}" for n in range(6)))
    for quote in ("", '"'):
        lines(
            tmp_path / "test.csv", "pixels", *(f"{quote}{pixels(n)}{quote}" for n in range(20, 26))
        )
        assert {entry.origin.partition(":")[0] for entry in listed(tmp_path).entries} == {
            "train.csv"
        }


# -- files beside pictures --------------------------------------------------------------------


def test_a_sample_of_webdataset_ends_at_the_first_dot(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "train.tar", "w") as shard:
        for n in range(4):
            for name, content in ((f"{n}.rgb.png", png(n)), (f"{n}.cls", b"%d" % (n % 2))):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))
    assert by_origin(listed(tmp_path)) == {f"train/{n}.rgb.png": str(n % 2) for n in range(4)}


def test_names_with_dots_in_a_folder_belong_to_their_own_labels(tmp_path: Path) -> None:
    for n in range(12):
        put(tmp_path / f"face.{n}.png", n)
        if n != 11:
            lines(tmp_path / f"face.{n}.cls", str(n % 2))
    found = listed(tmp_path)
    assert by_origin(found) == {f"face.{n}.png": str(n % 2) for n in range(11)}
    assert [one.origin for one in found.skipped] == ["face.11.png"]
