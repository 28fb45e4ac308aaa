"""A dataset at a URL that is damaged, out of reach or too large: one message, nothing left."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest
from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.data.at_url import index_at
from fer_tune.errors import DataError, EnvironmentFault, UserError
from fer_tune.storage import UrlPath
from fer_tune.storage import url_path as storage
from fer_tune.tuning.files.dataset_cache import open_dataset
from tests.disks import mounted
from tests.object_store import ObjectStore
from tests.tuning.files.fetched_dataset import FILES, left, read, same


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


HARMS = {
    "a pixel": ("pixels.bin", flipped, "differs from index.parquet"),
    "end of the pixels": ("pixels.bin", lambda c: c[:-1], "bytes instead of"),
    "no pixels": ("pixels.bin", None, "pixels.bin is missing"),
    "end of the index": ("index.parquet", lambda c: c[:-9], "truncated or not a Parquet file"),
    "no index": ("index.parquet", None, "index.parquet is missing"),
    "half a description": ("dataset.json", lambda c: c[:90], "dataset.json is truncated"),
    "a fingerprint that is a path": (
        "dataset.json",
        lambda c: json.dumps(json.loads(c) | {"fingerprint": "../../etc"}).encode(),
        "fingerprint",
    ),
    "another description": (
        "dataset.json",
        lambda c: json.dumps(json.loads(c) | {"fingerprint": "0" * 64}).encode(),
        "does not match the fingerprint",
    ),
    "something else": ("dataset.json", lambda c: b"{}", "not a packed dataset"),
    "no description": ("dataset.json", None, "not a packed dataset: no dataset.json here"),
}


@pytest.mark.parametrize("case", HARMS)
def test_what_is_damaged_at_the_url_is_reported_and_not_kept(
    case: str, url: UrlPath, cache: Path, said: Console
) -> None:
    name, harm, message = HARMS[case]
    if harm is None:
        (url / name).unlink()
    else:
        (url / name).write_bytes(harm((url / name).read_bytes()))
    # Of a pixel alone the index knows nothing.
    both = [lambda: open_dataset(url, said), lambda: index_at(url)]
    for reads in both[: 1 if case == "a pixel" else 2]:
        with pytest.raises(DataError) as caught:
            reads()
        reported = str(caught.value)
        assert (
            reported.startswith(f"{url}: ")
            and message in reported
            and "data import SOURCE" in reported
        )
        assert "secret" not in reported and left(cache) == []


def test_a_store_that_becomes_unavailable_meanwhile_leaves_nothing(
    url: UrlPath,
    store: ObjectStore,
    faces: PackedDataset,
    cache: Path,
    said: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage.UrlPath.pieces, "__defaults__", (30_000,))
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "0")
    going = threading.Event()

    class Stopping(Console):
        """Told of the fetch just before it begins."""

        def print(self, *words: object, **how: object) -> None:
            store.stop()
            going.set()

    try:
        with pytest.raises(DataError, match="the store is unavailable"):
            open_dataset(url, Stopping(file=io.StringIO()))
    finally:
        assert going.is_set()
        store.start()
    assert left(cache) == []
    same(open_dataset(url, said), faces)


def refused(url: UrlPath, kind: type[UserError] = DataError) -> str:
    with pytest.raises(kind) as caught:
        open_dataset(url, Console(quiet=True))
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_wrong_credentials_and_none_are_one_message(
    store: ObjectStore, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from moto.core import set_initial_no_auth_action_count

    @set_initial_no_auth_action_count(0)
    def with_wrong_ones() -> str:
        return refused(UrlPath(store.url("data/x", user="wrong:secret@")))

    def without() -> str:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setattr(store, "guarded", True)
        return refused(UrlPath(store.url("data/x", user="")))

    for message in (with_wrong_ones(), without()):
        assert "cannot be read: the store denies access: ACCESS_DENIED. Check" in message
        assert "AWS_PROFILE" in message
    assert left(cache) == []


def test_what_is_not_there_is_one_message(store: ObjectStore, cache: Path) -> None:
    assert "there is no such bucket" in refused(UrlPath(store.url("x", bucket="nobodys")))
    assert "no dataset.json here" in refused(store.folder("data/nothing"))
    assert left(cache) == []


def test_a_disk_without_room_is_reported_before_anything_is_fetched(
    url: UrlPath, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path / "disk", "64k") as disk:
        monkeypatch.setenv("FER_TUNE_CACHE", str(disk / "cache"))
        reported = refused(url, EnvironmentFault)
        assert "no room for a copy of the dataset" in reported and "FER_TUNE_CACHE" in reported
        assert read(store) == ["dataset.json"] and left(disk / "cache") == []


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(
    url: UrlPath, faces: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum((faces.root / name).stat().st_size for name in FILES)

    class Competing(Console):
        def print(self, *words: object, **how: object) -> None:
            (disk / "other").write_bytes(bytes(size // 2))

    with mounted(tmp_path / "disk", f"{size + size // 4}") as disk:
        monkeypatch.setenv("FER_TUNE_CACHE", str(disk / "cache"))
        with pytest.raises(EnvironmentFault, match="No space left"):
            open_dataset(url, Competing(file=io.StringIO()))
        assert left(disk / "cache") == []
