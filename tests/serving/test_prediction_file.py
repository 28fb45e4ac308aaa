"""Predictions files: which are read and how, and what is said of those that are not."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_tune.data import PackedDataset, import_source
from fer_tune.errors import DataError
from fer_tune.serving import prediction_file
from fer_tune.serving.prediction import COLUMNS
from fer_tune.serving.prediction_file import IGNORED, PredictionFile, read_predictions
from tests.serving.picture_folders import picture_folder

CLASSES = ("fear", "happy", "surprise")
Rows = list[dict[str, Any]]
Read = Callable[..., PredictionFile]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Nine training and nine test pictures, of which two are copies."""
    folder = picture_folder(tmp_path_factory.mktemp("source"), CLASSES)
    packed = folder.parent / "packed"
    import_source(str(folder), packed)
    return PackedDataset.open(packed)


@pytest.fixture
def rows(dataset: PackedDataset) -> Rows:
    """A row per test picture, in reverse order."""
    chosen = np.flatnonzero(dataset.splits == "test")[::-1]
    return [
        {"picture": dataset.origins[i], **dict(zip(CLASSES, (1 + n, 2, 1), strict=True))}
        for n, i in enumerate(chosen)
    ]


@pytest.fixture
def read(dataset: PackedDataset, tmp_path: Path) -> Read:
    """Writes rows (or a text) as a CSV and reads it."""

    def write_and_read(content: Rows | str | bytes, split: str = "test") -> PredictionFile:
        path = tmp_path / "predictions.csv"
        if isinstance(content, list):
            with path.open("w", newline="", encoding="utf-8") as out:
                table = csv.DictWriter(out, list(content[0]))
                table.writeheader()
                table.writerows(content)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_predictions(path, dataset, np.flatnonzero(dataset.splits == split), split)

    return write_and_read


def expected(dataset: PackedDataset, rows: Rows) -> np.ndarray:
    """Probabilities by position, from rows that name pictures by origin."""
    by_name = {row["picture"]: np.array([row[name] for name in dataset.classes]) for row in rows}
    scores = np.stack([by_name[name] for name in dataset.origins[dataset.splits == "test"]])
    return scores / scores.sum(axis=1, keepdims=True)


def test_rows_in_any_order_become_probabilities_in_the_datasets(
    dataset: PackedDataset, rows: Rows, read: Read
) -> None:
    found = read(rows)
    assert np.allclose(found.probabilities, expected(dataset, rows))
    assert found.notes == () and found.milliseconds is None


def test_pictures_are_named_by_origin_content_or_file(
    dataset: PackedDataset, rows: Rows, read: Read
) -> None:
    wanted, digests = (
        expected(dataset, rows),
        dict(zip(dataset.origins, dataset.hashes, strict=True)),
    )
    by_hash = {digests[row["picture"]]: {**row, "picture": digests[row["picture"]]} for row in rows}
    assert len(by_hash) == len(rows) - 1, "two copies share a hash, which names both"
    found = read(list(by_hash.values())).probabilities
    same = [
        row["picture"] for row in rows if by_hash[digests[row["picture"]]]["fear"] == row["fear"]
    ]
    places = np.isin(dataset.origins[dataset.splits == "test"].astype(str), same)
    assert places.sum() == len(rows) - 1 and np.allclose(found[places], wanted[places])
    with_backslashes = [{**row, "picture": row["picture"].replace("/", "\\")} for row in rows]
    assert np.allclose(read(with_backslashes).probabilities, wanted)
    # The names of training pictures begin with another letter, so file names are unique.
    by_file = [{**row, "picture": row["picture"].rpartition("/")[2]} for row in rows]
    assert np.allclose(read(by_file).probabilities, wanted)


def test_class_columns_are_read_as_an_import_reads_folders(
    dataset: PackedDataset, rows: Rows, read: Read
) -> None:
    renamed = [
        {"Picture": r["picture"], " Suprise": r["surprise"], "HAPPY": r["happy"], "Fear": r["fear"]}
        for r in rows
    ]
    assert np.allclose(read(renamed).probabilities, expected(dataset, rows))


def test_columns_of_other_expressions_are_dropped_with_a_note(
    dataset: PackedDataset, rows: Rows, read: Read
) -> None:
    more = [{**row, "Disgust": 5, "contempt": 0.25} for row in rows]
    found = read(more)
    assert np.allclose(found.probabilities, expected(dataset, rows))
    assert len(found.notes) == 1 and "disgust, contempt" in found.notes[0]


def test_predicted_is_compared_with_the_most_probable_class(rows: Rows, read: Read) -> None:
    best = [max(CLASSES, key=lambda name, row=row: row[name]) for row in rows]
    right = [{**row, "predicted": name.upper()} for row, name in zip(rows, best, strict=True)]
    assert read(right).notes == ()
    right[0]["predicted"] = "happy" if best[0] != "happy" else "fear"
    assert "1 rows" in read(right).notes[0]


def test_milliseconds_give_their_median(rows: Rows, read: Read) -> None:
    timed = [{**row, "milliseconds": 1000 if n == 0 else 3} for n, row in enumerate(rows)]
    assert read(timed).milliseconds == 3


def test_what_predict_writes_is_read(dataset: PackedDataset, rows: Rows, read: Read) -> None:
    assert set(COLUMNS) == {*IGNORED, "picture"}
    more = dict.fromkeys(IGNORED, "")
    assert np.allclose(
        read([{**more, **row} for row in rows]).probabilities, expected(dataset, rows)
    )


def test_scores_may_be_of_any_size(rows: Rows, read: Read) -> None:
    huge = [{**row, "fear": 1e308, "happy": 1e308, "surprise": 0} for row in rows]
    assert np.allclose(read(huge).probabilities.max(axis=1), 0.5)


# -- what is refused --------------------------------------------------------------------------


def changed(rows: Rows, place: int, **values: Any) -> Rows:
    return [{**row, **values} if n == place else row for n, row in enumerate(rows)]


BAD_ROWS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "missing": (lambda rows: rows[2:], "no row for 2 of the 9 test pictures"),
    "twice": (lambda rows: [*rows, rows[3]], "line 11: a second row for a picture of line 5"),
    "unknown": (
        lambda rows: changed(rows, 1, picture="no/such.png"),
        "line 3: no picture of the dataset has this name",
    ),
    "no_name": (lambda rows: changed(rows, 1, picture=" "), "line 3: no picture"),
    "of_training": (
        lambda rows: changed(rows, 0, picture="train/happy/tr-happy-0.png"),
        "line 2: this picture is not in the test split, but in train",
    ),
    "nan": (lambda rows: changed(rows, 2, happy="nan"), "line 4: column happy must hold"),
    "infinite": (lambda rows: changed(rows, 2, happy="inf"), "line 4: column happy must hold"),
    "too_large": (lambda rows: changed(rows, 2, happy="1e999"), "line 4: column happy must hold"),
    "negative": (lambda rows: changed(rows, 2, happy=-0.1), "line 4: column happy must hold"),
    "empty": (lambda rows: changed(rows, 2, happy=""), "line 4: column happy must hold"),
    "a_word": (lambda rows: changed(rows, 2, happy="high"), "line 4: column happy must hold"),
    "python": (lambda rows: changed(rows, 2, happy="1_0"), "line 4: column happy must hold"),
    "zeros": (
        lambda rows: changed(rows, 2, fear=0, happy=0, surprise=0),
        "line 4: all scores are 0",
    ),
    "dropped_nan": (
        lambda rows: [{**row, "disgust": "nan"} for row in rows],
        "line 2: column disgust must hold",
    ),
    "time": (
        lambda rows: [{**row, "milliseconds": -1} for row in rows],
        "line 2: column milliseconds must hold",
    ),
    "predicted": (
        lambda rows: [{**row, "predicted": "bored"} for row in rows],
        "line 2: column predicted names a class that has no column",
    ),
    "no_class": (
        lambda rows: [{k: v for k, v in row.items() if k != "surprise"} for row in rows],
        "line 1: no column surprise",
    ),
    "no_picture": (
        lambda rows: [{k: v for k, v in row.items() if k != "picture"} for row in rows],
        "line 1: no column picture",
    ),
    "same_class": (
        lambda rows: [{**row, "Suprise": 1} for row in rows],
        "line 1: two columns for 'surprise'",
    ),
    "foreign": (
        lambda rows: [{**row, "boredom": 1} for row in rows],
        "neither a class of the dataset nor an expression",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_are_named_with_their_line(case: str, rows: Rows, read: Read) -> None:
    change, message = BAD_ROWS[case]
    with pytest.raises(DataError) as error:
        read(change(rows))
    assert message in str(error.value) and "\n" not in str(error.value)


BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "nothing": (b"", "no column picture"),
    "blank_lines": ("\n\n", "no column picture"),
    "header_only": ("picture,fear,happy,surprise\n", "no row for 9 of the 9 test pictures"),
    "binary": (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a CSV in UTF-8"),
    "latin": ("picture,fear\nä.png,1\n".encode("latin-1"), "line 2: is not a CSV in UTF-8"),
    "null": ("picture,fear,happy,surprise\n\0,1,1,1\n", "line 2"),
    "quote": ('picture,fear,happy,surprise\n"a,1,1,1\n', "cannot be read as CSV"),
    "fields": ("picture,fear,happy,surprise\na,1,1\n", "line 2: 3 fields, the header has 4"),
    "tabs": ("picture\tfear\thappy\tsurprise\n", "no column picture, fear"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_that_are_no_such_csv(case: str, read: Read) -> None:
    content, message = BAD_FILES[case]
    with pytest.raises(DataError) as error:
        read(content)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(rows: Rows, read: Read) -> None:
    names = list(rows[0])
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    assert read("\ufeff" + "\r\n".join(lines)).probabilities.shape == (9, 3)


def test_an_ambiguous_file_name_is_refused(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = picture_folder(tmp_path / "source", CLASSES, same_names=True)
    import_source(str(folder), tmp_path / "packed")
    dataset = PackedDataset.open(tmp_path / "packed")
    path = tmp_path / "predictions.csv"
    path.write_text("picture,fear,happy,surprise\n0.png,1,1,1\n")
    with pytest.raises(DataError, match="several pictures of the dataset have this file name"):
        read_predictions(path, dataset, np.flatnonzero(dataset.splits == "test"), "test")


def test_files_that_cannot_be_read(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions = np.flatnonzero(dataset.splits == "test")
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_predictions(path, dataset, positions, "test")
    monkeypatch.setattr(prediction_file, "MOST_BYTES", 3)
    (tmp_path / "large.csv").write_text("picture")
    with pytest.raises(DataError, match="larger than"):
        read_predictions(tmp_path / "large.csv", dataset, positions, "test")
