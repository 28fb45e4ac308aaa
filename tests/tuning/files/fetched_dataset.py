"""What of a dataset at a URL was asked for, kept and said."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from fer_tune.data import PackedDataset
from tests.object_store import ObjectStore

FILES = ("dataset.json", "index.parquet", "pixels.bin")


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def read(store: ObjectStore) -> list[str]:
    """The names of the files whose content was asked for since the last time."""
    names = [key.rpartition("/")[2] for method, key in store.requests if method == "GET"]
    store.requests.clear()
    return [name for name in names if name in FILES]


def left(cache: Path) -> list[str]:
    return [p.name for p in cache.iterdir() if p.is_dir()] if cache.is_dir() else []


def same(one: PackedDataset, other: PackedDataset) -> None:
    assert one.fingerprint == other.fingerprint
    for name in FILES:
        assert (one.root / name).read_bytes() == (other.root / name).read_bytes(), name
