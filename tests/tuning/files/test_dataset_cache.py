"""The dataset of a search at a URL: fetched once, whole, right, or one clear message."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from rich.console import Console

from fer_tune.data import PackedDataset, import_source
from fer_tune.data.at_url import index_at
from fer_tune.errors import DataError, EnvironmentFault, ResultsError, UserError
from fer_tune.storage import UrlPath, put_folder, remove_tree
from fer_tune.storage import url_path as storage
from fer_tune.tuning.files import local_cache
from fer_tune.tuning.files.dataset_cache import open_dataset, reopen_dataset
from tests.disks import mounted
from tests.object_store import ObjectStore

FILES = ("dataset.json", "index.parquet", "pixels.bin")


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
