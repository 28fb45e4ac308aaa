"""Labels in tables beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labels_writing import by_origin, counted, is_noise, lines, listed, put

from fer_tune.data.listing import LabelOptions
from fer_tune.errors import DataError

ROWS = [("a.png", "happy", "train"), ("b.png", "sad", "test"), ("c.png", "happy", "test")]


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Three pictures in a folder without classes."""
    for seed, (name, _, _) in enumerate(ROWS):
        put(tmp_path / "set/images" / name, seed)
    return tmp_path / "set"


def csv_with_header(path: Path) -> Path:
    return lines(path / "l.csv", "file,label,split", *(",".join(row) for row in ROWS))


def csv_without_header(path: Path) -> Path:
    return lines(path / "l.csv", *(",".join(row) for row in ROWS))


def other_columns(path: Path) -> Path:
    rows = (f"{n};{split};{name};{label}" for n, (name, label, split) in enumerate(ROWS))
    return lines(path / "l.csv", "id;Usage;image_name;Expression", *rows)


def tsv(path: Path) -> Path:
    return lines(path / "l.tsv", "label\tfile\tset", *(f"{c}\t{f}\t{s}" for f, c, s in ROWS))


def spaces(path: Path) -> Path:
    return lines(path / "labels.txt", *(" ".join(row) for row in ROWS))


def json_lines(path: Path) -> Path:
    rows = (f'{{"file_name": "{f}", "emotion": "{c}", "split": "{s}"}}' for f, c, s in ROWS)
    return lines(path / "metadata.jsonl", *rows)


def parquet(path: Path) -> Path:
    columns = dict(zip(("file", "label", "split"), zip(*ROWS, strict=True), strict=True))
    pq.write_table(
        pa.table({name: list(cells) for name, cells in columns.items()}), path / "l.parquet"
    )
    return path / "l.parquet"


def sixteen_bit_text(path: Path) -> Path:
    text = "file,label,split\n" + "".join(",".join(row) + "\n" for row in ROWS)
    (path / "l.csv").write_text(text, encoding="utf-16")
    return path / "l.csv"


KINDS = (csv_with_header, csv_without_header, other_columns, tsv, spaces, json_lines, parquet)


@pytest.mark.parametrize("kind", [*KINDS, sixteen_bit_text])
def test_every_kind_of_table_is_read(
    kind: Callable[[Path], Path], flat: Path, tmp_path: Path
) -> None:
    table = kind(tmp_path)
    found = listed(flat, files=(str(table),))
    assert counted(found) == {("happy", "train"): 1, ("sad", "test"): 1, ("happy", "test"): 1}
    assert is_noise(found, "images/b.png", 1)
    assert found.found.labels_from == table.name and found.found.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_in_the_source_is_found_without_options(
    kind: Callable[[Path], Path], flat: Path
) -> None:
    found = listed(flat) if (table := kind(flat)) else None
    assert found is not None and len(found.entries) == 3
    assert found.found.label_files == (table.name,)


@pytest.mark.parametrize(
    "written",
    [
        "images/{name}", "./images/{name}", "{name}", "{stem}", "images\\{name}", "{stem}.jpg",
        "/home/them/set/images/{name}", "C:\\data\\images\\{name}", "{NAME}",
    ],
)  # fmt: skip
def test_a_picture_is_found_however_a_row_names_it(written: str, flat: Path) -> None:
    def row(name: str, label: str) -> str:
        stem = name.removesuffix(".png")
        return f"{written.format(name=name, stem=stem, NAME=name.upper())},{label}"

    lines(flat / "l.csv", "image,emotion", *(row(name, label) for name, label, _ in ROWS))
    found = by_origin(listed(flat, files=("l.csv",)))
    assert found == {"images/a.png": "happy", "images/b.png": "sad", "images/c.png": "happy"}


def test_a_name_of_two_pictures_is_an_error_that_names_both(flat: Path) -> None:
    put(flat / "more/a.png", 9)
    lines(flat / "l.csv", "image,emotion", "a.png,happy", "b.png,sad")
    with pytest.raises(DataError, match=r"images/a\.png and more/a\.png.*Write the folder"):
        listed(flat, files=("l.csv",))
    lines(flat / "l.csv", "image,emotion", "images/a.png,happy", "b.png,sad")
    assert by_origin(listed(flat, files=("l.csv",)))["images/a.png"] == "happy"


def test_a_name_beside_the_table_comes_first(tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "test")):
        put(tmp_path / split / "1.png", seed)
        put(tmp_path / split / "2.png", seed + 5)
        lines(tmp_path / split / "label.csv", "file,label", "1.png,happy", "2.png,sad")
    found = listed(tmp_path, files=("label.csv",))
    assert counted(found) == {(c, s): 1 for c in ("happy", "sad") for s in ("train", "test")}
    assert counted(listed(tmp_path)) == counted(found)


def test_rows_and_pictures_that_are_alone_are_counted(flat: Path) -> None:
    put(flat / "images/d.png", 4)
    rows = ["file,label", "a.png,happy", "gone.png,sad", "lost.png,sad", "b.png,sad"]
    lines(flat / "l.csv", *rows, "b.png,sad", "b.png,sad")
    found = listed(flat, files=("l.csv",))
    assert found.found.notes[:3] == (
        "2 rows have no picture, the first of them gone.png",
        "2 pictures have no row, the first of them images/c.png",
        "2 rows repeat another",
    )
    assert len(found.entries) == 2


def test_rows_that_disagree_skip_their_picture(flat: Path) -> None:
    lines(flat / "l.csv", "file,label", "a.png,happy", "a.png,sad", "b.png,sad", "c.png,happy")
    found = listed(flat, files=("l.csv",))
    assert [(s.origin, s.reason) for s in found.skipped] == [
        ("images/a.png", "rows give it the labels 'happy' and 'sad'")
    ]
    assert set(by_origin(found)) == {"images/b.png", "images/c.png"}


def test_columns_are_chosen_by_name_or_number(flat: Path) -> None:
    lines(flat / "l.csv", "image,first,second", "a.png,1,2", "b.png,2,1", "c.png,1,2")
    with pytest.raises(DataError, match=r"several columns may be the label.*--columns label"):
        listed(flat, files=("l.csv",))
    for name, wanted in (("first", "1"), ("SECOND", "2"), ("3", "2")):
        found = listed(flat, files=("l.csv",), columns={"label": name})
        assert by_origin(found)["images/a.png"] == wanted
    with pytest.raises(DataError, match=r"no column for label \(got 'third'\).*image, first"):
        listed(flat, files=("l.csv",), columns={"label": "third"})
    with pytest.raises(DataError, match="knows file, label, split, group"):
        listed(flat, files=("l.csv",), columns={"class": "first"})


def test_a_table_that_fits_nothing_is_an_error(flat: Path) -> None:
    lines(flat / "l.csv", "file,label", "x.png,happy", "y.png,sad")
    with pytest.raises(DataError, match=r"no row names a picture.*'x\.png'.*--columns"):
        listed(flat, files=("l.csv",))
    with pytest.raises(DataError, match=r"no such file.*'m\.csv'.*l\.csv"):
        listed(flat, files=("m.csv",))
    with pytest.raises(DataError, match="must be a table"):
        listed(flat, files=("images/a.png",))


def test_numbers_get_names(flat: Path) -> None:
    lines(flat / "l.csv", "file,label", "a.png,1", "b.png,2.0", "c.png,7")
    found = listed(flat, files=("l.csv",), order={"1": "joy", "2": "anger", "7": "contempt"})
    assert sorted(by_origin(found).values()) == ["angry", "contempt", "joy"]
    found = listed(flat, files=("l.csv",), rename={"1": "neutral", "7": "Happiness"})
    assert by_origin(found) == {
        "images/a.png": "neutral", "images/b.png": "2", "images/c.png": "happy",
    }  # fmt: skip
    found = listed(flat, files=("l.csv",), order={"1": "joy", "2": "anger"})
    assert [one.reason for one in found.skipped] == ["label '7' is not one of 1, 2"]


VOTES = "image,neutral,happiness,sadness,unknown,NF"


def test_votes_give_the_majority(flat: Path) -> None:
    put(flat / "images/d.png", 4)
    put(flat / "images/e.png", 5)
    lines(
        flat / "l.csv", VOTES,
        "a.png,1,8,1,0,0", "b.png,4,0,6,0,0", "c.png,5,5,0,0,0", "d.png,0,1,0,9,0",
        "e.png,1,0,0,0,9",
    )  # fmt: skip
    found = listed(flat, files=("l.csv",))
    assert by_origin(found) == {"images/a.png": "happy", "images/b.png": "sad"}
    notes = (note for note in found.found.notes if "test split" not in note)
    assert set(notes) == {
        "left out: 1 picture without a majority",
        "left out: 1 picture labelled unknown",
        "left out: 1 picture labelled not a face",
    }
    found = listed(flat, files=("l.csv",), min_agreement=0.7)
    assert by_origin(found) == {"images/a.png": "happy"}
    assert "left out: 1 picture below --min-agreement 0.7" in found.found.notes


def test_class_folders_come_before_a_table_that_is_then_named(tmp_path: Path) -> None:
    for seed, name in enumerate(("happy", "sad")):
        put(tmp_path / "train" / name / "1.png", seed)
    lines(tmp_path / "other.csv", "file,label", "happy/1.png,sad", "sad/1.png,happy")
    found = listed(tmp_path)
    assert by_origin(found) == {"train/happy/1.png": "happy", "train/sad/1.png": "sad"}
    assert found.found.unused_label_files == ("other.csv",) and not found.skipped


def test_folders_that_are_no_classes_do_not_hide_a_table(tmp_path: Path) -> None:
    for seed, who in enumerate(("anna", "berta", "carl")):
        put(tmp_path / who / f"{seed}.png", seed)
    lines(tmp_path / "faces.csv", "picture,expression", "0.png,happy", "1.png,sad", "2.png,sad")
    assert counted(listed(tmp_path)) == {("happy", "train"): 1, ("sad", "train"): 2}


def test_a_split_in_a_tables_name_counts(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b", "c", "d")):
        put(tmp_path / "images" / f"{name}.png", seed)
    lines(tmp_path / "train_labels.csv", "image,label", "a.png,happy", "b.png,sad")
    lines(tmp_path / "test_labels.csv", "image,label", "c.png,happy", "d.png,sad")
    assert counted(listed(tmp_path)) == {
        (c, s): 1 for c in ("happy", "sad") for s in ("train", "test")
    }


def test_options_have_defaults_that_change_nothing() -> None:
    assert LabelOptions() == LabelOptions(files=(), min_agreement=0.0, rename={}, columns={})
