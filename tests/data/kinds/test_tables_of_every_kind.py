"""Tables as people have them: exports of Excel, R and pandas, paths of other machines, JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kinds_writing import Kind, each, previewed, summary, table

from fer_tune.errors import DataError

NAMES = ["happy", "sad", "angry"]
PICTURES = each("images/#.png", pictures=12)
THIRDS = {name: "train 4" for name in sorted(NAMES)}


def rows(row: Callable[[int], str], *header: str, count: int = 12, end: str = "\n") -> str:
    """A table of twelve pictures."""
    return table(*header, *(row(n) for n in range(count)), end=end)


def vector(n: int, one: str, other: str) -> str:
    """Values of three classes, the n-th of which is another one."""
    return ",".join(one if n % 3 == place else other for place in range(3))


def simple(n: int) -> str:
    return f"{n}.png,{NAMES[n % 3]}"


COCO = {
    "images": [{"id": n, "file_name": f"{n}.png"} for n in range(12)],
    "annotations": [{"id": n, "image_id": n, "category_id": n % 3 + 1} for n in range(12)],
    "categories": [{"id": n + 1, "name": name} for n, name in enumerate(NAMES)],
}


def boxed(box: list[int], **size: int) -> dict[str, object]:
    """COCO's form with that box in every annotation, of pictures of that size."""
    return {
        **COCO,
        "images": [{**one, **size} for one in COCO["images"]],
        "annotations": [{**one, "bbox": box} for one in COCO["annotations"]],
    }


RECORDS = [{"file_name": f"{n}.png", "label": NAMES[n % 3]} for n in range(12)]
GERMAN = ("wütend", "glücklich", "überrascht")
CHINESE = ("高兴", "悲伤", "生气")

#: Tables that give four pictures of each of three classes.
READ: dict[str, tuple[str, str | bytes]] = {
    "byte order mark": ("l.csv", "\ufeff" + rows(simple, "image,label")),
    "semicolons of Excel": (
        "l.csv",
        "\ufeff" + rows(lambda n: simple(n).replace(",", ";"), "image;label", end="\r\n"),
    ),
    "delimiter in the first line": (
        "l.csv",
        "\ufeff" + rows(lambda n: simple(n).replace(",", ";"), "sep=;", "image;label"),
    ),
    "decimal commas": (
        "l.csv",
        rows(lambda n: f"{n}.png;0,{n}5;{NAMES[n % 3]}", "image;score;label"),
    ),
    "line breaks in quotes": (
        "l.csv",
        rows(lambda n: f'{n}.png,"a\nb",{NAMES[n % 3]}', "image,comment,label"),
    ),
    "absolute paths": ("l.csv", rows(lambda n: f"/home/me/set/images/{simple(n)}", "path,label")),
    "paths of Windows": (
        "l.csv",
        rows(lambda n: f"D:\\me\\images\\{simple(n)}", "path,label"),
    ),
    "URLs": (
        "l.csv",
        rows(lambda n: f"https://x.org/f/images/{n}.png?v=1,{NAMES[n % 3]}", "url,label"),
    ),
    "one-hot": (
        "l.csv",
        rows(lambda n: f"{n}.png,{vector(n, '1', '0')}", "image,happy,sad,angry"),
    ),
    "one-hot with decimals": (
        "l.csv",
        rows(lambda n: f"{n}.png,{vector(n, '1.0', '0.0')}", "image,happy,sad,angry"),
    ),
    "one-hot in words": (
        "l.csv",
        rows(lambda n: f"{n}.png,{vector(n, 'True', 'False')}", "image,happy,sad,angry"),
    ),
    "votes with missing values": (
        "l.csv",
        rows(
            lambda n: f"{n}.png,{vector(n, '7', ('', 'NaN', '0', 'NA')[n % 4])}",
            "image,happy,sad,angry",
        ),
    ),
    "flags beside words for expressions": (
        "l.csv",
        rows(
            lambda n: f"{n}.png,{NAMES[n % 3]},{n % 2},{1 - n % 2}",
            "image,mood,indoor,outdoor",
        ),
    ),
    "one-hot columns, and what counts, scores or describes": (
        "l.csv",
        rows(
            lambda n: f"{n},{n}.png,{vector(n, '1', '0')},0.{n}7,{30 + n % 4}",
            "number,image,happy,sad,angry,score,age",
        ),
    ),
    "empty cells at the end": ("l.csv", rows(lambda n: f"{simple(n)},,", "image,label")),
    "names of rows, as R writes them": (
        "l.csv",
        rows(lambda n: f"{n + 20},{simple(n)}", "image,label"),
    ),
    "points on a face": (
        "l.csv",
        rows(lambda n: f"{simple(n)},{'9,8,' * 3}7", "image,label,x1,y1,x2,y2,x3,y3,z"),
    ),
    "boxes of whole pictures": (
        "l.csv",
        rows(lambda n: f"{simple(n)},48,40,0,1,48,39", "image,label,width,height,x1,y1,x2,y2"),
    ),
    "boxes from the corner": (
        "l.csv",
        rows(lambda n: f"{simple(n)},0,0,48,{40 + n}", "image,label,bbox_x,bbox_y,bbox_w,bbox_h"),
    ),
    "a column of row numbers": (
        "l.csv",
        rows(lambda n: f"{n},{simple(n)}", ",image,label"),
    ),
    "numbers beside words": (
        "l.csv",
        rows(lambda n: f"{n}.png,{n % 3},{NAMES[n % 3]}", "image,label,emotion"),
    ),
    "other spaces and capitals": (
        "l.csv",
        rows(lambda n: f"{n}.png, {(str.upper, str.title)[n % 2](NAMES[n % 3])} ", "image,label"),
    ),
    "lines of JSON": ("l.jsonl", "".join(json.dumps(row) + "\n" for row in RECORDS)),
    "a list in JSON": ("labels.json", json.dumps(RECORDS)),
    "a label by file name in JSON": (
        "labels.json",
        json.dumps({f"{n}.png": NAMES[n % 3] for n in range(12)}),
    ),
    "objects by file name in JSON": (
        "labels.json",
        json.dumps({f"{n}.png": {"emotion": NAMES[n % 3]} for n in range(12)}),
    ),
    "columns in JSON": (
        "labels.json",
        json.dumps(
            {"image": [f"{n}.png" for n in range(12)], "label": [NAMES[n % 3] for n in range(12)]}
        ),
    ),
    "a list in an object of JSON": ("labels.json", json.dumps({"info": {}, "data": RECORDS})),
    "a label or none by file name in JSON": (
        "labels.json",
        json.dumps({f"{n}.png": NAMES[n % 3] if n < 12 else None for n in range(14)}),
    ),
    "COCO": ("annotations.json", json.dumps(COCO)),
    "COCO with boxes of whole pictures": (
        "annotations.json",
        json.dumps(boxed([0, 0, 640, 480], width=640, height=480)),
    ),
    "COCO with boxes of nothing": ("annotations.json", json.dumps(boxed([0, 0, 0, 0]))),
}


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("kind", READ)
def test_tables_are_read(kind: str, chosen: bool, tmp_path: Path) -> None:
    name, content = READ[kind]
    options = {"files": (name,)} if chosen else {}
    source = Kind(files=PICTURES, contents={name: content}, options=options)
    assert summary(previewed(source, tmp_path)) == THIRDS


@pytest.mark.parametrize(
    ("encoding", "names"),
    [("cp1252", GERMAN), ("gbk", CHINESE), ("utf-16", CHINESE), ("cp1251", ("гнев", "страх"))],
)
def test_tables_in_other_encodings_are_read(
    encoding: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    content = rows(lambda n: f"{n}.png,{names[n % len(names)]}", "image,label").encode(encoding)
    found = previewed(Kind(files=PICTURES, contents={"labels.csv": content}), tmp_path)
    assert set(summary(found)) == set(names) and len(found.entries) == 12


def test_names_that_were_escaped_for_urls_are_found(tmp_path: Path) -> None:
    content = rows(lambda n: f"face%20{simple(n)}", "path,label")
    pictures = each("images/face #.png", pictures=12)
    found = previewed(Kind(files=pictures, contents={"l.csv": content}), tmp_path)
    assert summary(found) == THIRDS
    # A file that is really named so comes first.
    pictures = [*pictures, "images/face%200.png"]
    found = previewed(Kind(files=pictures, contents={"l.csv": content}), tmp_path / "both")
    assert "images/face%200.png" in {entry.origin for entry in found.entries}


def test_lists_of_splits_are_read(tmp_path: Path) -> None:
    contents = {
        "train.txt": table(*(f"images/{n}.png {n % 3}" for n in range(8))),
        "test.txt": table(*(f"images/{n}.png {n % 3}" for n in range(8, 12))),
    }
    found = previewed(Kind(files=PICTURES, contents=contents), tmp_path)
    assert summary(found) == {
        "0": "test 1 train 3",
        "1": "test 1 train 3",
        "2": "test 2 train 2",
    }


def test_wrongly_decoded_labels_of_a_table_have_their_own_remedy(tmp_path: Path) -> None:
    content = rows(lambda n: f"{n}.png,{('mutlu', 'Ã¼zgÃ¼n')[n % 2]}", "image,label")
    with pytest.raises(DataError, match=r": a name reads .*Save the table as UTF-8") as stopped:
        previewed(Kind(files=PICTURES, contents={"l.csv": content}), tmp_path)
    assert "--encoding" not in str(stopped.value)


@pytest.mark.parametrize("absent", ["", "nan", "NA", "NULL", "None", "#N/A"])
def test_pictures_without_a_label_are_left_out(absent: str, tmp_path: Path) -> None:
    content = rows(lambda n: f"{n}.png,{('happy', 'sad', absent)[n % 3]}", "image,label")
    found = previewed(Kind(files=PICTURES, contents={"l.csv": content}), tmp_path)
    assert summary(found) == {"happy": "train 4", "sad": "train 4"}
    assert any("4 pictures without a label" in note for note in found.found.notes)


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
