"""Which pictures a user means: files, folders, patterns, datasets, standard input."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_tune.data import PackedDataset
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError
from fer_tune.serving import pictures
from fer_tune.serving.pictures import named_pictures


def save(path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(path, **options)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "deep/er/c.webp", ".hidden/d.png", "._e.png"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "data.bin").write_bytes(b"x")
    return tmp_path


def names(*paths: object) -> list[str]:
    return [one.name for one in named_pictures([str(path) for path in paths])]


def test_a_folder_stands_for_the_pictures_in_it(tree: Path) -> None:
    expected = ["a.JPG", "b.png", "deep/er/c.webp"]
    assert names(tree) == [str(tree / name) for name in expected]


def test_files_and_patterns_are_taken_as_named(tree: Path) -> None:
    assert names(tree / "b.png", tree / "data.bin") == [str(tree / "b.png"), str(tree / "data.bin")]
    assert names(tree / "*.png") == [str(tree / "b.png")]
    assert names(tree / "**/*.webp") == [str(tree / "deep/er/c.webp")]
    assert names(tree / "d*") == [str(tree / "data.bin"), str(tree / "deep/er/c.webp")]


def test_a_name_with_the_characters_of_a_pattern_is_a_file(tmp_path: Path) -> None:
    face = save(tmp_path / "face[1].png")
    assert names(face) == [str(face)]
    assert named_pictures([str(face)])[0].read().shape == (3, 4, 1)


def test_a_packed_dataset_stands_for_its_test_pictures(faces: PackedDataset) -> None:
    found = named_pictures([str(faces.root)])
    test = np.flatnonzero(faces.splits == "test")
    assert [one.name for one in found] == [faces.origins[p] for p in test]
    assert np.array_equal(found[3].read(), faces.picture(int(test[3])))


def test_standard_input_is_one_picture() -> None:
    out = io.BytesIO()
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(out, "PNG")
    (found,) = named_pictures(["-"], stdin=out.getvalue)
    assert found.name == "standard input" and found.read().shape == (5, 6, 3)
    (nothing,) = named_pictures(["-"], stdin=lambda: b"")
    with pytest.raises(UnusableError, match="0 bytes"):
        nothing.read()


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, words in (
        (tmp_path / "nowhere.png", "no such file or folder"),
        (tmp_path / "*.png", "no such file or folder"),
        (tmp_path / "empty", "no pictures in this folder"),
        ("s3://bucket/face.png", "not from a URL"),
        ("", "no such file or folder"),
        ("x" * 300, "cannot be read: File name too long"),
        (f"{tmp_path}/emp*", "no pictures in the folders that match"),
    ):
        with pytest.raises(DataError, match=words):
            named_pictures([str(path)])


def test_what_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path / "folder.png" / "x.png")
    for name, words in (
        ("link.png", "No such file"),
        ("loop.png", "[Ss]ymlink loop|Too many levels"),
        ("pipe.png", "named pipe"),
        ("text.png", "not an image"),
    ):
        with pytest.raises(UnusableError, match=words):
            named_pictures([str(tmp_path / name)])[0].read()
    monkeypatch.setattr(pictures, "MOST_BYTES", 10)
    big = named_pictures([str(save(tmp_path / "big.png"))])[0]
    with pytest.raises(UnusableError, match="larger than"):
        big.read()


def test_a_photograph_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    path = save(tmp_path / "turned.jpg", exif=exif)
    assert named_pictures([str(path)])[0].read().shape == (4, 3, 1)


def test_a_folder_that_cannot_be_listed_is_reported(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def denied(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    *_, last = named_pictures([str(tree)])
    assert last.name == str(tree / "deep")
    with pytest.raises(UnusableError, match="Permission denied"):
        last.read()


def test_names_that_are_not_utf8_are_printable(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    save(tmp_path / "plain.png").rename(os.fsdecode(path))
    (found,) = named_pictures([str(tmp_path)])
    assert found.name.endswith("caf\\xe9.png") and found.read().shape == (3, 4, 1)
