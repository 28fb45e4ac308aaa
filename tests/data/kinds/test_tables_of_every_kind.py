"""Tables as people have them: exports of Excel, R and pandas, paths of other machines, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kinds_writing import Kind, each, previewed, summary, table
from tables_writing import COCO, NAMES, PICTURES, RECORDS, THIRDS, boxed, rows, simple, vector

from fer_tune.errors import DataError

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
