from pathlib import Path

import numpy as np
from noise_pictures import noise
from source_reading import read, skipped

from fer_tune.data.sources import RawPicture, Reading


def row(emotion: object, pixels: np.ndarray, usage: str) -> str:
    return f"{emotion},{' '.join(map(str, pixels.ravel()))},{usage}\n"


def test_fer2013_rows_become_pictures(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    usages = ("Training", "PublicTest", "PrivateTest")
    rows = [row(n, noise(n), usage) for n, usage in zip((0, 1, 6), usages, strict=True)]
    path.write_text("emotion,pixels,Usage\n" + "".join(rows))
    items = list(read(path, Reading(public_test="validation")).items)
    assert [(i.class_name, i.split, i.origin) for i in items if isinstance(i, RawPicture)] == [
        ("angry", "train", "fer2013.csv:2"),
        ("disgust", "validation", "fer2013.csv:3"),
        ("neutral", "test", "fer2013.csv:4"),
    ]
    for item, seed in zip(items, (0, 1, 6), strict=True):
        assert isinstance(item, RawPicture) and np.array_equal(item.load(), noise(seed))


def test_the_icml_variant_has_spaces_and_another_order(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    pixels = " ".join(map(str, noise(4).ravel()))
    path.write_bytes(f"\ufeffemotion, Usage, pixels\r\n3,PublicTest, {pixels}\r\n".encode())
    (item,) = read(path).items
    assert isinstance(item, RawPicture)
    assert (item.class_name, item.split) == ("happy", "test")
    assert np.array_equal(item.load(), noise(4))


def test_bad_rows_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    good = noise(1)
    path.write_text(
        "emotion,pixels,Usage\n"
        + row(7, good, "Training")
        + row("x", good, "Training")
        + row(1, good, "Elsewhere")
        + row(1, good[:2], "Training")
        + row(1, good.astype(int) + 100, "Training")
        + "1,1 2 3 x,Training\n1,,Training\n1,1 2 3 4\n\n"
        + row(1, good, "Training")
    )
    assert skipped(read(path)) == {
        "f.csv:2": "emotion must be 0 to 6 (got '7')",
        "f.csv:3": "emotion must be 0 to 6 (got 'x')",
        "f.csv:4": "unknown Usage 'Elsewhere'",
        "f.csv:5": "24 pixels are no square",
        "f.csv:6": "pixels must be whole numbers from 0 to 255",
        "f.csv:7": "pixels must be whole numbers from 0 to 255",
        "f.csv:8": "0 pixels are no square",
        "f.csv:9": "2 fields, the header has 3",
    }


def test_a_csv_without_usage_is_all_training(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("emotion,pixels\n2,1 2 3 4\n")
    (item,) = read(path).items
    assert isinstance(item, RawPicture) and item.split == "train"
