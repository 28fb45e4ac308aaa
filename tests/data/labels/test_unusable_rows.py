"""A row that cannot be used costs its own picture; a table that cannot be, the import."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from labels_writing import counted, lines, listed, pixels, put

from fer_tune.data.importing import preview_source
from fer_tune.data.labels.tables.opening import SAMPLE
from fer_tune.errors import DataError

# -- tables that name pictures -------------------------------------------------------------------


def pictures(at: Path, count: int = 4) -> None:
    for n in range(count):
        put(at / f"images/{n}.png", n)


def test_a_picture_in_two_splits_is_not_used(tmp_path: Path) -> None:
    pictures(tmp_path)
    rows = ("0.png,happy,train", "1.png,sad,test", "2.png,sad,train", "0.png,happy,test")
    lines(tmp_path / "labels.csv", "file,label,split", *rows)
    found = listed(tmp_path, files=("labels.csv",))
    assert counted(found) == {("sad", "test"): 1, ("sad", "train"): 1}
    assert [one.reason for one in found.skipped if one.origin == "images/0.png"] == [
        "rows put it into two splits"
    ]


def test_a_picture_with_two_labels_is_not_used(tmp_path: Path) -> None:
    pictures(tmp_path)
    lines(tmp_path / "labels.csv", "file,label", "0.png,happy", "1.png,sad", "0.png,sad")
    (skipped,) = listed(tmp_path, files=("labels.csv",)).skipped
    assert skipped.reason == "rows give it the labels 'happy' and 'sad'"


def test_a_label_of_a_row_that_is_a_list_is_not_used(tmp_path: Path) -> None:
    count = SAMPLE + 2  # a list among the first rows would be a fault of the table
    pictures(tmp_path, count)
    labels = [f'"{("happy", "sad")[n % 2]}"' for n in range(count - 1)] + ['["sad", "angry"]']
    rows = (f'{{"file": "{n}.png", "label": {label}}}' for n, label in enumerate(labels))
    lines(tmp_path / "labels.jsonl", *rows)
    found = listed(tmp_path, files=("labels.jsonl",))
    assert len(found.entries) == count - 1
    assert [one.reason for one in found.skipped] == ["its label is a list or an object"]


@pytest.mark.parametrize(
    ("line", "message"),
    [("[1, 2]", r"labels\.jsonl:2.*is not a JSON object"), ("{", r"labels\.jsonl:2.*not valid")],
)
def test_a_line_that_is_no_object_is_an_error(line: str, message: str, tmp_path: Path) -> None:
    pictures(tmp_path)
    lines(tmp_path / "labels.jsonl", '{"file": "0.png", "label": "happy"}', line)
    with pytest.raises(DataError) as raised:
        listed(tmp_path, files=("labels.jsonl",))
    assert re.search(message, str(raised.value).replace("\n", " "))


@pytest.mark.parametrize("role", ["file", "split", "group"])
def test_named_columns_are_read_where_others_look_likelier(role: str, tmp_path: Path) -> None:
    pictures(tmp_path)
    rows = (f"{n}.png,{3 - n}.png,happy,train,test,a{n},b{n}" for n in range(4))
    header = "file,second_file,label,split,other_split,group,other_group"
    lines(tmp_path / "labels.csv", header, *rows)
    other = {"file": "second_file", "split": "other_split", "group": "other_group"}[role]
    found = {
        entry.origin: entry
        for entry in listed(tmp_path, files=("labels.csv",), columns={role: other}).entries
    }
    first = found["images/0.png"]
    assert first.split == ("test" if role == "split" else "train")
    assert first.group == {"file": "a3", "split": "a0", "group": "b0"}[role]


def test_a_table_and_an_expression_cannot_be_combined(tmp_path: Path) -> None:
    pictures(tmp_path)
    lines(tmp_path / "labels.csv", "file,label", "0.png,happy")
    with pytest.raises(DataError, match="--labels and --class-from cannot be combined"):
        listed(tmp_path, files=("labels.csv",), pattern="(?P<class>.)")


# -- tables that hold pictures -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("sad;two;4;1 2", "its size is not two whole numbers: 'two' x '4'"),
        ("sad;;4;1 2", "its size is not two whole numbers: '' x '4'"),
        ("sad;12345678901;4;1 2", "its size is not two whole numbers: '123456789' x '4'"),
        (";3;3;1 2 3 4 5 6 7 8 9", "has no label"),
    ],
)
def test_an_unusable_row_of_pixels(row: str, reason: str, tmp_path: Path) -> None:
    good = (f"{name};3;3;{pixels(n)}" for n, name in enumerate(("happy", "sad")))
    table = lines(tmp_path / "faces.csv", "label;height;width;pixels", *good, row)
    found = listed(table)
    assert counted(found) == {("happy", "train"): 1, ("sad", "train"): 1}
    assert [(one.origin, one.reason) for one in found.skipped] == [("faces.csv:4", reason)]


# -- other sources -------------------------------------------------------------------------------


def test_a_seed_of_drawn_faces_is_not_negative() -> None:
    with pytest.raises(DataError) as raised:
        preview_source("synthetic:4", seed=-1)
    assert "must be a whole number of at least 0" in str(raised.value)


def test_an_archive_of_arrays_is_no_array(tmp_path: Path) -> None:
    put(tmp_path / "0.png", 0)
    out = io.BytesIO()
    np.savez(out, y=np.arange(1))
    (tmp_path / "y.npy").write_bytes(out.getvalue())
    with pytest.raises(DataError, match=r"y\.npy is no \.npy file"):
        listed(tmp_path, files=("y.npy",))
