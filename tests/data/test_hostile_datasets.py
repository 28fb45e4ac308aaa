"""Packed datasets from strangers: opened with pixels where the index says, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_tune.data.copies.groups import copy_groups
from fer_tune.data.dataset import PackedDataset
from fer_tune.data.importing import import_source
from fer_tune.data.packing.index_columns import INDEX_SCHEMA, fingerprint, offsets
from fer_tune.errors import DataError
from fer_tune.schema import limits

HASHES = ["a" * 64, "b" * 64]


def packed(folder: Path, *, pixels: int = 12, index: bytes | None = None, **columns: Any) -> Path:
    """Two pictures of 2 x 3 pixels, all that belongs together made to match after changes."""
    folder.mkdir(exist_ok=True)
    rows: dict[str, Any] = {
        "hash": HASHES,
        "split": ["train", "test"],
        "class_name": ["angry", "happy"],
        "origin": ["1.png", "2.png"],
        **{"height": [2, 2], "width": [3, 3], "channels": [1, 1], "deviation": [1.0, 2.0]},
        **columns,
    }
    shapes = np.array([rows[name] for name in ("height", "width", "channels")], np.int64)
    with np.errstate(over="ignore"):
        sizes = shapes.prod(axis=0)
        rows["offset"] = offsets(sizes)
    rows["group"] = copy_groups(np.array(rows["hash"]))
    table = pa.table({f.name: pa.array(rows[f.name], f.type) for f in INDEX_SCHEMA})
    pq.write_table(table, folder / "index.parquet")
    if index is not None:
        (folder / "index.parquet").write_bytes(index)
    description = {
        "format": "fer_tune packed dataset",
        "version": 1,
        "classes": ["angry", "happy"],
        "channels": 3 if 3 in rows["channels"] else 1,
        "fingerprint": fingerprint(
            ["angry", "happy"], rows["hash"], rows["split"], rows["class_name"]
        ),
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    (folder / "pixels.bin").write_bytes(bytes(pixels))
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        PackedDataset.open(folder)
    text = str(caught.value)
    assert str(folder) in text and len(text) < 800
    return text


def test_the_dataset_of_these_tests_is_whole(tmp_path: Path) -> None:
    dataset = PackedDataset.open(packed(tmp_path / "d"))
    assert dataset.picture(1).shape == (2, 3, 1)


def test_a_dataset_of_links_is_opened(tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    for file in packed(tmp_path / "d").iterdir():
        (tmp_path / "links" / file.name).symlink_to(file)
    assert len(PackedDataset.open(tmp_path / "links")) == 2


BAD: dict[str, tuple[dict[str, Any], str]] = {
    # The second product is 2 ** 64 + 4, in 64 bits 4.
    "sizes that overflow": (
        {"height": [2, 769_546], "width": [3, 494_770], "channels": [1, 48_448_661], "pixels": 10},
        "column channels holds a value out of range",
    ),
    "a side of a million": ({"height": [1, 10**6], "width": [1, 1], "pixels": 10**6 + 1}, "height"),
    "two channels": (
        {"channels": [3, 2], "pixels": 30},
        "column channels holds a value out of range",
    ),
    "a class that is not listed": (
        {"class_name": ["angry", "x"]},
        "column class_name holds a value out of range",
    ),
    "a split of its own": ({"split": ["train", "mine"]}, "column split holds a value out of range"),
    "a deviation of nothing": (
        {"deviation": [1.0, float("nan")]},
        "column deviation holds a value out of range",
    ),
    "too few pixels": ({"pixels": 11}, "pixels.bin has 11 bytes instead of 12"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_index_with_values_that_no_import_writes_is_refused(tmp_path: Path, name: str) -> None:
    changes, message = BAD[name]
    assert message in refusal(packed(tmp_path / "d", **changes))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("classes", [str(i) for i in range(limits.CLASSES + 1)], "at most 1000 items"),
        ("classes", {"a": 0}, "classes must be a list"),
        ("classes", ["a", "a"], "must not name a class twice"),
        ("classes", ["a", "\x1b[2J"], "without control characters"),
        ("classes", ["a", 1], "classes[1] must be text (got 1)"),
        ("channels", True, "channels must be a whole number (got True)"),
        ("channels", 10**400, "channels must be 1 or 3"),
        ("fingerprint", "../" * 30, "fingerprint"),
        ("version", [0] * 10**5, "must have version 1"),
        ("source", json.loads("[" * 60 + "]" * 60), "nested more than 32 levels deep"),
    ],
)
def test_a_description_that_breaks_a_rule_is_refused(
    tmp_path: Path, key: str, value: Any, message: str
) -> None:
    path = packed(tmp_path / "d") / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    assert message in refusal(tmp_path / "d")


def test_a_description_of_many_bytes_is_refused_unread(tmp_path: Path) -> None:
    with (packed(tmp_path / "d") / "dataset.json").open("r+b") as file:
        file.truncate(20 * limits.GIB)
    assert "dataset.json is larger than 64 MiB" in refusal(tmp_path / "d")


def test_an_index_of_more_rows_than_there_are_pixels_is_refused_unread(tmp_path: Path) -> None:
    nulls = pa.table({f.name: pa.nulls(5_000_000, f.type) for f in INDEX_SCHEMA})
    out = pa.BufferOutputStream()
    pq.write_table(nulls, out)
    content = out.getvalue().to_pybytes()
    del nulls
    before = pa.total_allocated_bytes()
    text = refusal(packed(tmp_path / "d", index=content))
    assert "index.parquet has more than 12 rows" in text
    assert pa.total_allocated_bytes() - before < limits.MIB


def test_more_classes_than_a_search_can_have_are_not_imported(tmp_path: Path) -> None:
    for number in range(limits.CLASSES + 1):
        folder = tmp_path / "source/train" / f"class{number:04d}"
        folder.mkdir(parents=True)
        (folder / "x.pgm").write_bytes(b"P5 1 1 255\n%c" % (number % 256))
    with pytest.raises(DataError, match="at most 1000 items"):
        import_source(str(tmp_path / "source"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
