"""A node's copies of the search's files: made once, whole, right, or one clear message."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.files.local_cache import cache_folder
from fer_tune.tuning.files.node_cache import Bundle, Pieces, node_copy
from tests.disks import mounted
from tests.warm import warm_pool

OTHER = 4711  # a user
CONTENT = {"a.bin": bytes(range(256)) * 40, "b.txt": b"two", "empty": b""}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


def bundle_of(folder: Path) -> Bundle:
    return Bundle.of("dataset", {path.name: path for path in folder.iterdir()})


def pieces(folder: Path, asked: Path, name: str) -> Iterable[memoryview]:
    """The content of ``folder``, 1,000 bytes at a time; notes in ``asked`` that it was asked."""
    with asked.open("a") as note:
        note.write(f"{name}\n")
    content = (folder / name).read_bytes()
    for start in range(0, len(content), 1000):
        yield memoryview(content[start : start + 1000])


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    path = tmp_path / "asked.txt"
    path.write_text("")
    return path


@pytest.fixture
def read(source: Path, asked: Path) -> Pieces:
    return partial(pieces, source, asked)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def leftovers(cache: Path) -> list[str]:
    return [p.name for p in cache.iterdir() if p.is_dir() and p.name.startswith(".")]


def test_a_copy_is_made_once(source: Path, asked: Path, read: Pieces, tmp_path: Path) -> None:
    bundle = bundle_of(source)
    folder = node_copy(bundle, tmp_path / "cache", read)
    assert contents(folder) == CONTENT
    assert node_copy(bundle, tmp_path / "cache", read) == folder
    assert sorted(asked.read_text().split()) == sorted(CONTENT)


def test_a_bundle_is_known_by_content_alone(source: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    source.rename(elsewhere)
    first = bundle_of(elsewhere)
    (elsewhere / "b.txt").write_bytes(b"too")
    other = bundle_of(elsewhere)
    (elsewhere / "b.txt").write_bytes(b"two")
    assert first == bundle_of(elsewhere) and first.name == bundle_of(elsewhere).name
    assert other.name != first.name and first.size == sum(map(len, CONTENT.values()))


def test_processes_that_come_at_once_share_one_copy(
    source: Path, asked: Path, read: Pieces, tmp_path: Path
) -> None:
    with warm_pool(3) as pool:
        work = [
            pool.submit(node_copy, bundle_of(source), tmp_path / "cache", read) for _ in range(6)
        ]
        folders = {w.result(60) for w in work}
    (folder,) = folders
    assert contents(folder) == CONTENT
    assert sorted(asked.read_text().split()) == sorted(CONTENT)


@pytest.mark.parametrize("harm", ["changed", "shortened", "removed", "unreadable note"])
def test_a_damaged_copy_is_replaced(
    harm: str, source: Path, asked: Path, read: Pieces, tmp_path: Path
) -> None:
    bundle = bundle_of(source)
    folder = node_copy(bundle, tmp_path / "cache", read)
    victim = folder / "a.bin"
    mapped = np.memmap(victim, np.uint8, mode="r")  # a trial that runs
    asked.write_text("")
    if harm == "changed":
        damaged = bytearray(CONTENT["a.bin"])
        damaged[5000] ^= 1
        victim.write_bytes(damaged)
    elif harm == "shortened":
        victim.with_name("new").write_bytes(CONTENT["a.bin"][:-1])
        victim.with_name("new").rename(victim)
    elif harm == "removed":
        victim.unlink()
    else:
        (folder / ".checked").write_text("{")
    assert node_copy(bundle, tmp_path / "cache", read) == folder
    assert contents(folder) == CONTENT
    assert bool(asked.read_text()) == (harm != "unreadable note")
    assert leftovers(tmp_path / "cache") == []
    assert len(mapped) == len(CONTENT["a.bin"]) and mapped[255] == 255


def test_a_touched_copy_is_read_again_and_kept(
    source: Path, asked: Path, read: Pieces, tmp_path: Path
) -> None:
    folder = node_copy(bundle_of(source), tmp_path / "cache", read)
    asked.write_text("")
    os.utime(folder / "a.bin")
    before = (folder / ".checked").read_text()
    node_copy(bundle_of(source), tmp_path / "cache", read)
    assert asked.read_text() == "" and (folder / ".checked").read_text() != before


def test_what_a_dead_writer_left_is_removed(source: Path, read: Pieces, tmp_path: Path) -> None:
    bundle, cache = bundle_of(source), tmp_path / "cache"
    torn = cache / f".{bundle.name}.0123"
    torn.mkdir(parents=True)
    (torn / "a.bin").write_bytes(b"half")
    other = cache / ".dataset-of-another-search.0123"
    other.mkdir()
    node_copy(bundle, cache, read)
    assert leftovers(cache) == [other.name], "of this bundle alone: others have their own lock"


def test_other_bytes_than_announced_are_refused(source: Path, read: Pieces, tmp_path: Path) -> None:
    bundle, cache = bundle_of(source), tmp_path / "cache"
    (source / "a.bin").write_bytes(bytes(len(CONTENT["a.bin"])))
    with pytest.raises(EnvironmentFault) as caught:
        node_copy(bundle, cache, read)
    assert "a.bin of the dataset does not have the expected checksum" in str(caught.value)
    assert not (cache / bundle.name).exists() and leftovers(cache) == []


def test_a_folder_that_refuses_is_one_message(source: Path, read: Pieces, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(EnvironmentFault, match=r"cannot store a copy.*FER_TUNE_CACHE"):
        node_copy(bundle_of(source), tmp_path / "cache", read)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    with mounted(tmp_path / "disk", "64k") as disk:
        yield disk


def test_a_disk_without_room_is_reported_before_anything_is_written(
    source: Path, asked: Path, read: Pieces, small_disk: Path
) -> None:
    (source / "a.bin").write_bytes(bytes(100_000))
    with pytest.raises(EnvironmentFault, match=r"no room for a copy .* takes 0\.1 MiB"):
        node_copy(bundle_of(source), small_disk / "cache", read)
    assert asked.read_text() == ""


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(
    source: Path, read: Pieces, small_disk: Path
) -> None:
    (source / "a.bin").write_bytes(bytes(50_000))
    bundle, cache = bundle_of(source), small_disk / "cache"

    def competing(name: str) -> Iterable[memoryview]:
        (small_disk / "other").write_bytes(bytes(20_000))
        yield from read(name)

    with pytest.raises(EnvironmentFault, match="No space left"):
        node_copy(bundle, cache, competing)
    assert not (cache / bundle.name).exists() and leftovers(cache) == []
    (small_disk / "other").unlink()
    assert len(contents(node_copy(bundle, cache, read))["a.bin"]) == 50_000


def test_the_cache_is_beside_the_bank_unless_the_machine_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("FER_TUNE_CACHE", raising=False)
    monkeypatch.setenv("FER_TUNE_BANK", str(tmp_path / "disk" / "bank"))
    assert cache_folder() == tmp_path / "disk" / f"fer_tune-cache-{os.getuid()}"
    monkeypatch.setenv("FER_TUNE_CACHE", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x"


# -- whose the cache is ---------------------------------------------------------------------


def test_the_cache_is_for_its_user_alone(source: Path, read: Pieces, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = node_copy(bundle_of(source), tmp_path / "cache", read)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)}
    assert modes == {0o700} and contents(folder) == CONTENT


def test_a_copy_is_made_once_whatever_the_umask(
    source: Path, asked: Path, read: Pieces, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        for _ in range(2):
            node_copy(bundle_of(source), tmp_path / "cache", read)
    finally:
        os.umask(before)
    assert sorted(asked.read_text().split()) == sorted(CONTENT)


def open_to_all(cache: Path) -> None:
    cache.mkdir()
    (cache / "file").touch()
    cache.chmod(0o777)


def a_link(cache: Path) -> None:
    cache.with_name("elsewhere").mkdir()
    cache.symlink_to("elsewhere")


def another_users(cache: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving files away needs root")
    cache.mkdir()
    os.chown(cache, OTHER, OTHER)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (open_to_all, "other users can write to it"),
        (a_link, "symbolic link"),
        (another_users, "belongs to another user"),
    ],
)
def test_a_cache_that_others_can_fill_is_refused(
    make: Callable[[Path], None], reason: str, source: Path, read: Pieces, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    make(cache)
    with pytest.raises(EnvironmentFault, match=rf"{reason}.*FER_TUNE_CACHE"):
        node_copy(bundle_of(source), cache, read)
    assert [path for path in cache.iterdir() if path.name != "file"] == []


def planted(folder: Path) -> None:
    """All of a copy, with a note that says it was checked, by somebody else."""
    if os.geteuid() != 0:
        pytest.skip("giving files away needs root")
    (folder / "a.bin").write_bytes(bytes(len(CONTENT["a.bin"])))
    found = (folder / "a.bin").stat()
    known = json.loads((folder / ".checked").read_text())
    known["a.bin"] = [found.st_size, found.st_mtime_ns]
    (folder / ".checked").write_text(json.dumps(known))
    os.chown(folder, OTHER, OTHER)


def planted_file(folder: Path) -> None:
    planted(folder)
    os.chown(folder, 0, 0)
    os.chown(folder / "a.bin", OTHER, OTHER)


def linked_folder(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to("moved")


def linked_file(folder: Path) -> None:
    """To a right one, which its owner may change later."""
    (folder / "a.bin").rename(folder.parent / "a.bin")
    (folder / "a.bin").symlink_to(folder.parent / "a.bin")


def a_file(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.write_text("")


def writable_folder(folder: Path) -> None:
    folder.chmod(0o777)


@pytest.mark.parametrize(
    "harm", [planted, planted_file, linked_folder, linked_file, a_file, writable_folder]
)
def test_a_copy_that_is_not_this_users_alone_is_replaced(
    harm: Callable[[Path], None], source: Path, asked: Path, read: Pieces, tmp_path: Path
) -> None:
    bundle, cache = bundle_of(source), tmp_path / "cache"
    harm(node_copy(bundle, cache, read))
    asked.write_text("")
    folder = node_copy(bundle, cache, read)
    assert sorted(asked.read_text().split()) == sorted(CONTENT) and contents(folder) == CONTENT
    assert not folder.is_symlink() and not any(path.is_symlink() for path in folder.iterdir())
    assert folder.stat().st_uid == os.geteuid() and leftovers(cache) == []
    hidden = sorted(p.name for p in cache.iterdir() if p.name.startswith("."))
    assert hidden == [f".{bundle.name}.lock", f".{bundle.name}.used"]


@pytest.mark.parametrize("note", ["[]", "5", '{"a.bin": 5}', "[" * 100_000, "\0"])
def test_a_note_that_is_none_is_written_anew(
    note: str, source: Path, asked: Path, read: Pieces, tmp_path: Path
) -> None:
    folder = node_copy(bundle_of(source), tmp_path / "cache", read)
    checked = (folder / ".checked").read_text()
    (folder / ".checked").write_text(note)
    asked.write_text("")
    node_copy(bundle_of(source), tmp_path / "cache", read)
    assert (folder / ".checked").read_text() == checked and asked.read_text() == ""


def test_a_lock_that_is_a_link_is_refused(source: Path, read: Pieces, tmp_path: Path) -> None:
    bundle, cache = bundle_of(source), tmp_path / "cache"
    cache.mkdir(mode=0o700)
    (cache / f".{bundle.name}.lock").symlink_to(tmp_path / "made")
    with pytest.raises(EnvironmentFault, match="cannot store a copy"):
        node_copy(bundle, cache, read)
    assert not (tmp_path / "made").exists()
