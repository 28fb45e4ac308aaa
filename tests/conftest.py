"""What several rooms' tests share: drawn faces, the real sample, an object store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_tune.data import PackedDataset, import_source
from tests.object_store import ObjectStore

SAMPLE = Path(__file__).resolve().parents[1] / "../shared/data"


LONG = ("machines", "kills", "browser", "ray", "slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that at the end no process waits for one that began late."""

    def rank(item: pytest.Item) -> int:
        marks = {mark.name for mark in item.iter_markers()}
        return next((n for n, name in enumerate(LONG) if name in marks), len(LONG))

    first: dict[Path, int] = {}
    for item in items:
        first[item.path] = min(rank(item), first.get(item.path, len(LONG)))
    items.sort(key=lambda item: first[item.path])  # stable: a file's tests stay as they are


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """120 drawn faces, packed."""
    folder = tmp_path_factory.mktemp("faces") / "packed"
    import_source("synthetic:120", folder)
    return PackedDataset.open(folder)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectStore]:
    """An S3 server; stopped after the last test."""
    pytest.importorskip("moto.server", reason="the S3 server for tests needs moto[server]")
    store = ObjectStore()
    yield store
    store.stop()


@pytest.fixture(scope="module")
def served(s3_server: ObjectStore) -> ObjectStore:
    """The S3 server with a bucket, which the simulated Amazon of another module takes away."""
    s3_server.make_bucket()
    return s3_server


@pytest.fixture
def store(served: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The S3 server, for a test that shall not wait long for one that is away."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "1")
    return served
