"""The dataset of a search at a URL: fetched once, whole, from a server that may be asked."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from rich.console import Console

from fer_tune.data import PackedDataset, import_source
from fer_tune.errors import ResultsError
from fer_tune.storage import UrlPath, put_folder
from fer_tune.storage import url_path as storage
from fer_tune.tuning.files import local_cache
from fer_tune.tuning.files.dataset_cache import open_dataset, reopen_dataset
from tests.object_store import ObjectStore
from tests.tuning.files.fetched_dataset import FILES, left, read, same, text


def test_the_second_use_fetches_nothing_but_the_description(
    url: UrlPath, store: ObjectStore, faces: PackedDataset, cache: Path, said: Console
) -> None:
    first = open_dataset(url, said)
    assert sorted(read(store)) == sorted(FILES)
    same(first, faces)
    assert first.root.parent == cache and faces.fingerprint[:32] in first.root.name
    assert text(said).count("\n") == 1 and str(url) in text(said) and "secret" not in text(said)
    assert open_dataset(url, said).root == first.root
    assert read(store) == ["dataset.json"]
    assert text(said).count("\n") == 1


def test_another_url_of_the_same_pictures_uses_the_copy(
    url: UrlPath, store: ObjectStore, faces: PackedDataset, cache: Path, said: Console
) -> None:
    first, other = open_dataset(url, said), store.folder("data/elsewhere")
    put_folder(faces.root, other)
    read(store)
    assert open_dataset(other, said).root == first.root
    assert read(store) == ["dataset.json"]


def test_large_files_come_in_pieces(
    url: UrlPath,
    store: ObjectStore,
    faces: PackedDataset,
    cache: Path,
    said: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = 30_000
    monkeypatch.setattr(storage.UrlPath.pieces, "__defaults__", (size,))
    same(open_dataset(url, said), faces)
    parts = -(-(faces.root / "pixels.bin").stat().st_size // size)
    assert parts > 6 and read(store).count("pixels.bin") == parts


def test_who_comes_at_once_shares_one_fetch(
    url: UrlPath, store: ObjectStore, cache: Path, said: Console
) -> None:
    """Threads here; the lock is that of processes (``test_node_cache.py``)."""
    with ThreadPoolExecutor(4) as pool:
        roots = {dataset.root for dataset in pool.map(lambda _: open_dataset(url, said), range(4))}
    assert len(roots) == 1 and len(left(cache)) == 1
    assert read(store).count("pixels.bin") == 1


def test_who_waits_for_another_says_so_once(
    url: UrlPath,
    faces: PackedDataset,
    cache: Path,
    said: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_cache, "_NOTIFY_AFTER_S", 0.05)
    cache.mkdir()
    lock = FileLock(cache / f".fetched-{faces.fingerprint[:32]}.lock")
    with ThreadPoolExecutor(1) as pool:
        with lock:
            waiting = pool.submit(open_dataset, url, said)
            late = time.monotonic() + 30
            while not text(said) and time.monotonic() < late:
                time.sleep(0.01)
            assert text(said).startswith("waiting for another process that is copying the dataset")
            assert not waiting.done()
        same(waiting.result(), faces)
    first, second = text(said).splitlines()
    assert "fetching" not in first and second.startswith("fetching the dataset")


def test_a_resumed_search_does_not_ask_while_the_copy_is_there(
    url: UrlPath, store: ObjectStore, faces: PackedDataset, cache: Path, said: Console
) -> None:
    reopen_dataset(url, faces.fingerprint, said, named=True)
    assert sorted(read(store)) == sorted(FILES)
    reopen_dataset(url, faces.fingerprint, said, named=False)
    assert store.requests == []
    reopen_dataset(url, faces.fingerprint, said, named=True)
    assert read(store) == ["dataset.json"]


def recorded(url: UrlPath, store: ObjectStore, environment: pytest.MonkeyPatch) -> UrlPath:
    """The URL as a manifest has it, on a machine with credentials for the server."""
    environment.setenv("AWS_ACCESS_KEY_ID", "key")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store.port}")
    return UrlPath(str(url))


def test_a_server_that_a_results_folder_names_is_not_asked(
    url: UrlPath,
    store: ObjectStore,
    faces: PackedDataset,
    cache: Path,
    said: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = recorded(url, store, monkeypatch)
    for endpoint in (None, "https://s3.example.com", f"https://127.0.0.1:{store.port}"):
        if endpoint is None:
            monkeypatch.delenv("AWS_ENDPOINT_URL")
        else:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(ResultsError, match="not sent to a server") as caught:
            reopen_dataset(where, faces.fingerprint, said, named=False)
        assert str(caught.value).startswith(f"{where}: ") and "--data" in str(caught.value)
        assert "endpoint_override, scheme" in str(caught.value)
    assert store.requests == [] and left(cache) == []
    recorded(url, store, monkeypatch)
    same(reopen_dataset(where, faces.fingerprint, said, named=False), faces)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    same(reopen_dataset(where, faces.fingerprint, said, named=False), faces)  # a copy is there


SERVERS = {
    "s3://bucket/x": "",
    "s3://bucket/x?region=eu-west-1": "",
    "s3://bucket/x?region=a.example.com/": "region",
    "s3://bucket/x?endpoint_override=a.example.com": "endpoint_override",
    "s3://bucket/x?endpoint%5Foverride=a.example.com": "endpoint%5Foverride",
    "s3://bucket/x?scheme=http": "scheme",
    "s3://bucket/x?tls_verify_certificates=false": "tls_verify_certificates",
    "s3://bucket/x?region=r&region=a.example.com/": "region",
    "s3://bucket/x?endpoint_override=h:1&endpoint_override=a.example.com": "endpoint_override",
    "s3://key:secret@bucket/x": "credentials",
    "s3://a.example.com#/x": "an unusual bucket",
    "gs://bucket/x": "",
    "gs://bucket/x?endpoint_override=a.example.com&scheme=http": "endpoint_override, scheme",
    "s3://bucket/x?endpoint_override=h:1&scheme=http": "",
    "s3://bucket/x?endpoint_override=http%3A%2F%2Fh:1/": "",
    "s3://bucket/x?endpoint_override=h:1": "endpoint_override",
    "gs://bucket/x?endpoint_override=h:1&scheme=http": "endpoint_override, scheme",
}


@pytest.mark.parametrize("where", SERVERS)
def test_what_names_a_server_is_known(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://h:1")
    assert UrlPath(where).server_options == SERVERS[where]


def test_another_dataset_is_refused_before_it_is_fetched(
    url: UrlPath,
    store: ObjectStore,
    cache: Path,
    said: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for where, named in ((url, True), (recorded(url, store, monkeypatch), False)):
        with pytest.raises(ResultsError, match="not the one that this search ran on"):
            reopen_dataset(where, "0" * 64, said, named=named)
    assert set(read(store)) == {"dataset.json"} and left(cache) == []


@pytest.mark.parametrize("harm", ["changed", "removed"])
def test_a_damaged_copy_is_fetched_again(
    harm: str, url: UrlPath, faces: PackedDataset, cache: Path, said: Console
) -> None:
    victim = open_dataset(url, said).root / "pixels.bin"
    if harm == "changed":
        content = bytearray(victim.read_bytes())
        content[5000] ^= 1
        victim.write_bytes(content)
    else:
        victim.unlink()
    same(open_dataset(url, said), faces)
    assert len(left(cache)) == 1


def test_a_touched_copy_is_read_again_and_kept(
    url: UrlPath, store: ObjectStore, cache: Path, said: Console
) -> None:
    (open_dataset(url, said).root / "index.parquet").touch()
    read(store)
    open_dataset(url, said)
    assert read(store) == ["dataset.json"]


def test_colours_and_channels_are_checked_as_they_are_stored(
    store: ObjectStore, cache: Path, tmp_path: Path, said: Console
) -> None:
    """A set with grey and coloured pictures: hashes are of what is stored, not of what is shown."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(4):
        for name in ("happy", "sad"):
            folder = tmp_path / "source/train" / name
            folder.mkdir(parents=True, exist_ok=True)
            shape = (20, 20) if number % 2 else (20, 20, 3)
            pixels = rng.integers(0, 256, shape, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    import_source(str(tmp_path / "source"), tmp_path / "packed")
    put_folder(tmp_path / "packed", store.folder("data/mixed"))
    found = open_dataset(store.folder("data/mixed"), said)
    assert found.channels == 3 and {s.shape[2] for s in map(found.picture, range(8))} == {3}
