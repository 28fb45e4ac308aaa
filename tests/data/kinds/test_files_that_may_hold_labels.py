"""Files beside pictures that are no tables of labels: other JSON, boxes, points, scores."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from kinds_writing import Kind, each, previewed, summary
from tables_writing import PICTURES, RECORDS, rows

from fer_tune.errors import DataError


@pytest.mark.parametrize(
    "name",
    [
        *("labels.xlsx", "emotions.mat", "labels.pkl", "y_labels.npy", "annotations.xml"),
        *("class_names.yaml", "train.json", "labels.h5", "test_list.txt"),
    ],
)
def test_files_that_may_hold_labels_are_named(name: str, tmp_path: Path) -> None:
    pictures = each("{}/#.png", "happy|sad")
    found = previewed(Kind(files=pictures, contents={name: b"\x00\x01"}), tmp_path)
    assert found.found.unused_label_files == (name,)
    flat = Kind(files=PICTURES, contents={name: b"\x00\x01"})
    assert previewed(flat, tmp_path / "flat").found.unused_label_files == (name,)


@pytest.mark.parametrize(
    "content",
    [
        *("[1, 2]", "{}", "not JSON", '{"a": [1], "b": [1, 2]}', '"text"', "[" * 100_000),
        # What pandas writes by default, files by split, lists of labels, files by class.
        '{"file": {"0": "0.png", "1": "1.png"}, "label": {"0": "happy", "1": "sad"}}',
        '{"train": {"0.png": "happy", "1.png": "sad"}, "test": {"2.png": "happy", "3.png": "sad"}}',
        '{"0.png": ["happy"], "1.png": ["sad"]}',
        '{"happy": ["0.png", "1.png"], "sad": ["2.png", "3.png"]}',
    ],
)
def test_other_json_is_one_message(content: str, tmp_path: Path) -> None:
    source = Kind(files=PICTURES, contents={"l.json": content}, options={"files": ("l.json",)})
    with pytest.raises(DataError, match=r"JSON|COCO"):
        previewed(source, tmp_path)


@pytest.mark.parametrize("label", [{"name": "happy"}, ["happy"], [0, 1]])
def test_labels_that_are_lists_or_objects_are_refused(label: object, tmp_path: Path) -> None:
    content = json.dumps([{**row, "label": label} for row in RECORDS])
    source = Kind(files=PICTURES, contents={"l.json": content}, options={"files": ("l.json",)})
    with pytest.raises(DataError, match="lists or objects instead of one label"):
        previewed(source, tmp_path)


def test_negative_numbers_are_one_class_with_or_without_decimals(tmp_path: Path) -> None:
    content = rows(
        lambda n: f"{n}.png,{('-1', '-1.0', '0', '-0.0', '1.0', '1')[n % 6]}", "image,label"
    )
    found = previewed(Kind(files=PICTURES, contents={"l.csv": content}), tmp_path)
    assert set(summary(found)) == {"-1", "0", "1"}


@pytest.mark.parametrize("folder", ["images", "labels"])
def test_boxes_of_yolo_are_named(folder: str, tmp_path: Path) -> None:
    contents = {f"{folder}/{n}.txt": f"{n % 3} 0.5 0.5 1 1\n" for n in range(12)}
    with pytest.raises(DataError, match="YOLO's form"):
        previewed(Kind(files=PICTURES, contents=contents), tmp_path)


def test_boxes_of_yolo_are_named_where_pictures_have_none(tmp_path: Path) -> None:
    contents = {f"labels/{n}.txt": "" if n < 6 else "0 0.5 0.5 0.2 0.2\n" for n in range(12)}
    with pytest.raises(DataError, match="YOLO's form"):
        previewed(Kind(files=PICTURES, contents=contents), tmp_path)


def test_points_beside_pictures_are_no_boxes(tmp_path: Path) -> None:
    points = " ".join(str(100 + n) for n in range(136))
    files = each("{}/#.png", "calm|bored")
    contents = {path.replace(".png", ".txt"): points for path in files}
    found = previewed(Kind(files=files, contents=contents), tmp_path)
    assert set(summary(found)) == {"calm", "bored"}


@pytest.mark.parametrize("text", ["1 " + "123 " * 4000 + "x", "0 " + "1" * 9000 + "x"])
def test_texts_beside_pictures_are_read_in_no_time(text: str, tmp_path: Path) -> None:
    began = time.process_time()
    previewed(Kind(files=PICTURES, contents={f"images/{n}.txt": text for n in range(12)}), tmp_path)
    assert time.process_time() - began < 2


def test_scores_beside_pictures_are_no_classes(tmp_path: Path) -> None:
    contents = {f"images/{n}.txt": f"0.{n}3\n" for n in range(12)}
    found = previewed(Kind(files=PICTURES, contents=contents), tmp_path)
    assert set(summary(found)) == {"images"}
