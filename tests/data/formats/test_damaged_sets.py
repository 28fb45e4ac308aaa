"""Rows and files of known data sets that cannot be used cost their own picture alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from labels_writing import by_origin, counted, lines, listed, put

from fer_tune.data.labels.tables.opening import SAMPLE
from fer_tune.data.pixels import UnusableError

#: More rows than are looked at to recognise a table.
ROWS = SAMPLE + 10


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg 0 1 2 5 6 48.4", "7 fields instead of 8"),
        ("a.jpg 0 one 2 5 6 48.4 3", "its box is not in whole numbers"),
        ("a.jpg 0 1 2 5 6 48.4 9", "label '9'"),
    ],
)
def test_an_unusable_row_of_expw(row: str, reason: str, tmp_path: Path) -> None:
    put(tmp_path / "image/origin/a.jpg", 1)
    good = (f"a.jpg {n} 0 0 3 3 20.1 {n % 7}" for n in range(ROWS))
    lines(tmp_path / "label/label.lst", *good, row)
    found = listed(tmp_path)
    assert found.found.format == "ExpW" and len(found.entries) == ROWS
    (skipped,) = found.skipped
    assert skipped.origin == f"label/label.lst:{ROWS + 1}" and reason in skipped.reason


def test_rows_of_expw_without_their_picture_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "image/origin/a.jpg", 1)
    lines(tmp_path / "label/label.lst", "a.jpg 0 0 0 3 3 20.1 3", "b.jpg 0 0 0 3 3 20.1 3")
    found = listed(tmp_path)
    assert len(found.entries) == 1
    assert any("1 row has no picture" in n and "b.jpg" in n for n in found.found.notes)


def test_a_box_of_expw_outside_the_picture(tmp_path: Path) -> None:
    put(tmp_path / "image/origin/a.jpg", 1)
    lines(tmp_path / "label/label.lst", "a.jpg 0 90 90 99 99 20.1 3", "a.jpg 1 0 0 3 3 20.1 3")
    outside, inside = listed(tmp_path).entries
    assert inside.load().shape[:2] == (3, 3)
    with pytest.raises(UnusableError, match="its box lies outside the picture"):
        outside.load()


def emotion(at: Path, who: str, text: str, *, frame: bool = True) -> None:
    """A sequence of CK+: its last frame, and the file with its emotion."""
    stem = f"{who}_001_00000011"
    if frame:
        put(at / f"cohn-kanade-images/{who}/001/{stem}.png", int(who[1:]))
    lines(at / f"Emotion/{who}/001/{stem}_emotion.txt", text)


def test_an_emotion_of_ck_plus_that_is_no_number(tmp_path: Path) -> None:
    emotion(tmp_path, "S005", "   1.0000000e+00")
    emotion(tmp_path, "S010", "   5.0000000e+00")
    emotion(tmp_path, "S011", "happy")
    found = listed(tmp_path)
    assert set(counted(found)) == {("angry", "train"), ("happy", "train")}
    (skipped,) = found.skipped
    assert skipped.reason == "S011_001_00000011_emotion.txt holds no number"


@pytest.mark.parametrize(
    ("missing", "note"),
    [
        (("S011",), "1 _emotion.txt file without a frame"),
        (("S011", "S012"), "2 _emotion.txt files without a frame"),
    ],
)
def test_emotions_of_ck_plus_without_a_frame(
    missing: tuple[str, ...], note: str, tmp_path: Path
) -> None:
    for who in ("S005", "S010", "S013", "S014"):
        emotion(tmp_path, who, "   1.0000000e+00")
    for who in missing:
        emotion(tmp_path, who, "   5.0000000e+00", frame=False)
    found = listed(tmp_path)
    assert note in found.found.notes
    assert set(by_origin(found).values()) == {"angry"}
