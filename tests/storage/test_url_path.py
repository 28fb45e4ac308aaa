"""Files and folders in an object store, on a real server."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pytest

from fer_tune.errors import ResultsError
from fer_tune.storage import (
    UrlPath,
    any_path,
    files_in,
    is_url,
    local_copy,
    put_folder,
    remove_tree,
    without_secrets,
    write_atomically,
)
from fer_tune.storage.paths import scratch_folder
from tests.object_store import ObjectStore


def test_what_is_written_is_read_back_and_replaced_whole(store: ObjectStore) -> None:
    file = store.folder("round/trip") / "file.txt"
    assert not file.exists()
    write_atomically(file, "grüezi")
    assert file.is_file() and file.read_text() == "grüezi"
    file.write_bytes(b"x" * 20_000_000)
    assert file.read_bytes() == b"x" * 20_000_000
    write_atomically(file, "short")
    assert file.read_text() == "short"
    file.unlink()
    assert not file.is_file()
    file.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match="not found") as raised:
        file.unlink()
    assert raised.value.filename == str(file)


def test_listing_shows_one_level_by_name(store: ObjectStore) -> None:
    folder = store.folder("listing")
    assert list(folder.iterdir()) == [] and files_in(folder, "") == []
    for name in ("b.parquet", "a.parquet", ".hidden.parquet", "c.txt", "inner/d.parquet"):
        write_atomically(folder / name, name)
    assert [p.name for p in folder.iterdir()] == [
        ".hidden.parquet",
        "a.parquet",
        "b.parquet",
        "c.txt",
        "inner",
    ]
    assert [p.name for p in files_in(folder, ".parquet")] == ["a.parquet", "b.parquet"]
    assert (folder / "inner").is_dir() and not (folder / "inner").is_file()
    remove_tree(folder / "inner")
    assert not (folder / "inner").exists()
    remove_tree(folder)
    remove_tree(folder)  # nothing may be there
    assert store.keys(folder) == []


def test_folders_go_there_and_come_back(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "state").write_bytes(b"1")
    (tmp_path / "inner/more").write_bytes(b"2")
    target = store.folder("copied")
    put_folder(tmp_path, target)
    assert store.keys(target) == ["inner/more", "state"]
    with local_copy(target) as copy:
        assert (copy / "inner/more").read_bytes() == b"2" and (copy / "state").read_bytes() == b"1"
    assert not copy.exists()
    with local_copy(tmp_path) as same:
        assert same == tmp_path


def test_a_scratch_folder_is_private_and_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as mine:
        assert not any(mine.iterdir())
        (made,) = tmp_path.iterdir()
        assert made.stat().st_mode & 0o777 == 0o700
    assert not any(tmp_path.iterdir())


def test_credentials_are_never_shown_and_reach_other_processes(store: ObjectStore) -> None:
    folder = store.folder("a//b/")
    assert str(folder) == f"s3://searches/a/b?{store.query}"
    assert "secret" not in repr(folder) and folder.url == store.url("a/b")
    assert (folder / "c").name == "c" and (folder / "c").path == "searches/a/b/c"
    again = pickle.loads(pickle.dumps(folder))
    assert again == folder and again.url == folder.url
    text = f"fer-tune search --results {folder.url} --data x@y"
    assert without_secrets(text) == f"fer-tune search --results {folder} --data x@y"


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:hu/sh@bucket/x",  # secrets of Amazon may have a `/`
        "gs://AKIA:hu/s/h@bucket/x",
        "s3://AKIA:a@hush@bucket/x",
        "s3://bucket/x?access_key=AKIA&secret_key=hush&region=r",
        "gs://bucket/x?Token=hush",
    ],
)
def test_whatever_looks_like_a_secret_is_left_out_of_texts(url: str) -> None:
    reported = without_secrets(f"fer-tune search --results {url} --data http://h:1/x@y")
    assert "sh" not in reported.removeprefix("fer-tune search") and "AKIA:" not in reported
    assert "bucket/x" in reported and reported.endswith(" --data http://h:1/x@y")


@pytest.mark.parametrize("url", ["s3://AKIA:hu/sh@bucket/x", "s3://minio:9000/bucket/x"])
def test_a_colon_in_the_buckets_place_is_reported(url: str) -> None:
    with pytest.raises(ResultsError, match="%2F") as raised:
        any_path(url)
    assert "hu" not in str(raised.value) and "endpoint_override" in str(raised.value)


def test_a_secret_in_the_query_is_neither_shown_nor_used() -> None:
    folder = UrlPath("s3://bucket/x?secret_key=hush")
    assert "hush" not in str(folder)
    with pytest.raises(ResultsError, match="secret_key") as raised:
        folder.read_bytes()
    assert "hush" not in str(raised.value)


def test_paths_stay_paths(tmp_path: Path) -> None:
    assert any_path("results/x") == Path("results/x") and any_path(tmp_path) == tmp_path
    assert is_url("s3://b/x") and not is_url("results/x") and not is_url("C:/x")
    assert isinstance(any_path("gs://bucket/x"), UrlPath)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/x", "ftp:// is not a supported store"),
        ("s3:///x", "names no bucket"),
        ("s3://key:secret@/x", "names no bucket"),
        ("s3://key:secret@b/x/../y", r"cannot contain `\.\.`"),
        ("gs://key:secret@b/./y", r"cannot contain `\.`"),
    ],
)
def test_urls_that_are_none_are_reported(url: str, message: str) -> None:
    with pytest.raises(ResultsError, match=message) as raised:
        any_path(url)
    assert "secret" not in str(raised.value) and "s3://BUCKET" in str(raised.value)


def test_a_query_that_is_not_understood_is_reported() -> None:
    folder = UrlPath("s3://key:secret@bucket/x?colour=red")
    with pytest.raises(ResultsError, match="colour") as raised:
        folder.read_bytes()
    assert "secret" not in str(raised.value)


def test_an_object_whose_name_leads_out_of_the_folder_is_not_copied(store: ObjectStore) -> None:
    from moto.s3.models import s3_backends

    folder = store.folder("outside/a/b")
    write_atomically(folder / "state", "good")
    with local_copy(folder) as copy:
        name = f"../{copy.name}-outside"
    # Clients do not send such a name; whoever may write to the bucket can.
    backend = s3_backends["123456789012"]["aws"]
    backend.put_object("searches", f"outside/a/b/{name}", b"bad")
    try:
        with pytest.raises(OSError, match="outside the folder") as raised, local_copy(folder):
            pass
        assert raised.value.filename == str(folder)
    finally:
        backend.delete_object("searches", f"outside/a/b/{name}")
