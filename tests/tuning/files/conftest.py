"""A packed dataset at a URL, and the cache of this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.storage import UrlPath, put_folder, remove_tree
from tests.object_store import ObjectStore


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_TUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def url(store: ObjectStore, faces: PackedDataset) -> Iterator[UrlPath]:
    folder = store.folder("data/faces")
    put_folder(faces.root, folder)
    store.requests.clear()
    yield folder
    remove_tree(folder)


@pytest.fixture
def said() -> Console:
    return Console(file=io.StringIO(), width=200)
