"""Tables whose labels would be a guess, and rows with a fault."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kinds_writing import Kind, each, previewed, summary
from tables_writing import NAMES, PICTURES, RECORDS, THIRDS, boxed, rows, simple, vector

from fer_tune.errors import DataError

#: Tables of which nothing is guessed: rows, header, and what the message says.
REFUSED = {
    "probabilities": (
        lambda n: f"{n}.png,{vector(n, '0.8', '0.1')}",
        "image,happy,sad,angry",
        "scores or probabilities of classes",
    ),
    "probabilities with commas": (
        lambda n: f"{n}.png;{vector(n, '0-8', '0-1').replace(',', ';').replace('-', ',')}",
        "image;happy;sad;angry",
        "scores or probabilities of classes",
    ),
    "one score": (lambda n: f"{n}.png,0.{n}3", "image,happy", "not whole numbers"),
    "valence": (lambda n: f"{n}.png,{n / 20 - 0.33:.2f}", "image,valence", "not whole numbers"),
    "valence as label": (lambda n: f"{n}.png,{n / 20 - 0.33:.2f}", "image,label", "not whole"),
    "captions": (lambda n: f"{n}.png,someone in row {n}", "image,caption", "one picture each"),
    "captions as labels": (lambda n: f"{n}.png,a man in row {n}", "image,label", "one picture"),
    "names of people": (
        lambda n: f"{n}.png,{('Anne', 'Bob', 'Carla')[n % 3]}",
        "image,who",
        "names of people",
    ),
    "genders": (lambda n: f"{n}.png,{('m', 'f')[n % 2]}", "image,kind", "ages or genders"),
    "one-hot genders": (
        lambda n: f"{n}.png,{n % 2},{1 - n % 2}",
        "image,male,female",
        "ages or genders",
    ),
    "ages": (lambda n: f"{n}.png,{20 + n % 6}", "image,value", "numbers of people"),
    "a column named like another thing": (
        lambda n: f"{n}.png,{n % 3}",
        "image,ethnicity",
        "no column of labels",
    ),
    "flags beside numbers": (
        lambda n: f"{n}.png,{n % 3},{n % 2},{1 - n % 2}",
        "image,emotion_id,indoor,outdoor",
        "several columns may be the label",
    ),
    "corners of boxes": (
        lambda n: f"{simple(n)},640,480,10,20,{100 + n},120",
        "image,label,width,height,xmin,ymin,xmax,ymax",
        "labels belong to a box",
    ),
    "boxes with their sizes": (
        lambda n: f"{simple(n)},10,20,{100 + n},120",
        "image,label,x,y,w,h",
        "labels belong to a box",
    ),
    "boxes of faces as shares": (
        lambda n: f"{simple(n)},0.1,0.2,0.3,0.4",
        "image,label,face_left,face_top,face_right,face_bottom",
        "labels belong to a box",
    ),
    "boxes in one column": (
        lambda n: f'{simple(n)},"[12, 30, 50, 60]"',
        "image,label,bbox",
        "labels belong to a box",
    ),
    "splits alone": (
        lambda n: f"{n}.png,{('Training', 'PrivateTest')[n % 2]}",
        "image,Usage",
        "no column of labels",
    ),
    "spaces within labels": (
        lambda n: f"{n}.png {('very happy', 'a bit sad')[n % 2]}",
        "file label",
        "spaces are also within",
    ),
    "spaces within one label": (
        lambda n: f"{n}.png {'very happy' if n == 7 else NAMES[n % 3]}",
        "file label",
        "spaces are also within",
    ),
    "several classes": (
        lambda n: f"{n}.png,{('happy|sad', 'sad', 'happy')[n % 3]}",
        "image,label",
        "several classes of one picture",
    ),
    "one class in two spellings": (
        lambda n: f"{n}.png,{('calm', 'Calm_', 'bored')[n % 3]}",
        "image,label",
        "one class under several names",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_labels_that_would_be_a_guess_are_refused(kind: str, tmp_path: Path) -> None:
    row, header, reason = REFUSED[kind]
    source = Kind(
        files=PICTURES,
        contents={"l.csv": rows(row, header)},
        options={"files": ("l.csv",)},
    )
    with pytest.raises(DataError) as stopped:
        previewed(source, tmp_path)
    text = str(stopped.value)
    assert reason in text and re.search("--|Separate", text), text


@pytest.mark.parametrize(
    "document",
    [
        boxed([20, 30, 100, 120], width=640, height=480),
        boxed([20, 30, 100, 120]),
        [{**row, "bbox": [5, 6, 30, 40]} for row in RECORDS],
    ],
)
def test_boxes_in_json_are_named(document: object, tmp_path: Path) -> None:
    name = "annotations.json"
    source = Kind(files=PICTURES, contents={name: json.dumps(document)})
    with pytest.raises(DataError, match=r"labels belong to a box.*--columns label"):
        previewed(source, tmp_path)
    chosen = Kind(files=PICTURES, contents={}, options={"columns": {"label": "label"}})
    assert summary(previewed(chosen, tmp_path)) == THIRDS


@pytest.mark.parametrize(
    ("row", "header", "columns"),
    [
        (lambda n: f"{n}.png,{NAMES[n % 3]},{n % 2},{1 - n % 2}", "image,mood,a,b", "column mood"),
        (lambda n: f"{n}.png,{n % 2},{1 - n % 2}", "image,smile,no_smile", "smile, no_smile"),
    ],
)
def test_columns_that_were_guessed_are_noted(
    row: Callable[[int], str], header: str, columns: str, tmp_path: Path
) -> None:
    found = previewed(Kind(files=PICTURES, contents={"l.csv": rows(row, header)}), tmp_path)
    (note,) = [note for note in found.found.notes if "--columns label" in note]
    assert f"{columns} of l.csv" in note
    named = rows(simple, "image,label")
    found = previewed(Kind(files=PICTURES, contents={"l.csv": named}), tmp_path)
    assert not any("--columns" in note for note in found.found.notes)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("l.csv", rows(simple, "image,label") + "12.png,very,happy\n", "more cells"),
        ("l.csv", rows(simple) + "12.png,very,happy\n", "more cells"),
        (
            "l.csv",
            rows(lambda n: f"{n}.png,{vector(n, '70', '20')}", "image,happy,sad,angry")
            + "".join(f"x{n}.png,30,40,50\n" for n in range(300))
            + "12.png,0.9,0.1,0\n",
            "votes that are not whole numbers",
        ),
        (
            "l.txt",
            rows(lambda n: simple(n).replace(",", " "))
            + "".join(f"x{n}.png happy\n" for n in range(300))
            + "12.png very happy\n",
            "more cells",
        ),
    ],
)
def test_rows_with_a_fault_are_skipped(
    name: str, content: str, reason: str, tmp_path: Path
) -> None:
    pictures = each("images/#.png", pictures=13)
    source = Kind(files=pictures, contents={name: content}, options={"files": (name,)})
    found = previewed(source, tmp_path)
    assert summary(found) == THIRDS
    assert [one.origin for one in found.skipped] == ["images/12.png"]
    assert reason in found.skipped[0].reason


@pytest.mark.parametrize(
    "content",
    [
        rows(simple, f"image,{'x' * 9000}"),
        rows(lambda n: f"{'x' * 9000}{n},happy", "image,label"),
        rows(lambda n: f"{n}.png,1.{'5' * 9000}", "image,label"),
        rows(lambda n: f"{n}.png,{'x' * 9000}{n % 3}", "image,label"),
        rows(simple, "image,label") + f"{'x' * 9000},happy\n",
    ],
)
def test_long_values_are_cut_in_messages(content: str, tmp_path: Path) -> None:
    source = Kind(files=PICTURES, contents={"l.csv": content}, options={"files": ("l.csv",)})
    try:
        texts = list(previewed(source, tmp_path).found.notes)
    except DataError as error:
        texts = [str(error)]
    assert texts and max(map(len, texts)) < 800
