"""The bound of the local cache: what was not used for longest goes, nothing that is in use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_tune.errors import EnvironmentFault
from fer_tune.storage.private import private_lock
from fer_tune.tuning.files import cache_room
from fer_tune.tuning.files.local_cache import cached_folder
from tests.warm import context

KIB = 1024


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with room for three folders of 10 KiB and their ``.checked``."""
    monkeypatch.setattr(cache_room, "_held", {})
    monkeypatch.setenv(cache_room.VARIABLE, str(34 * KIB / 2**30))
    yield tmp_path / "cache"
    end_of_process()


def end_of_process() -> None:
    """What the system does when a process ends."""
    for handle in cache_room._held.values():
        os.close(handle)
    cache_room._held.clear()


def name_of(letter: str) -> str:
    return f"fetched-{letter * 32}"


def copy(cache: Path, letter: str, size: int = 10 * KIB) -> Path:
    def fill(folder: Path) -> None:
        (folder / "pixels").write_bytes(bytes(size))

    return cached_folder(
        cache / name_of(letter),
        "dataset",
        names=["pixels"],
        is_valid=lambda _: True,
        size=lambda: size,
        fill=fill,
    )


def age(cache: Path, letters: str) -> None:
    """Makes the folders old, the first the oldest."""
    for number, letter in enumerate(letters):
        os.utime(cache / f".{name_of(letter)}.used", (1000 + number, 1000 + number))


def kept(cache: Path) -> str:
    return "".join(sorted(path.name[-1] for path in cache.glob("[!.]*")))


def test_what_was_unused_longest_is_removed(cache: Path) -> None:
    for letter in "abc":
        copy(cache, letter)
    end_of_process()
    age(cache, "bac")
    copy(cache, "a")  # used again
    end_of_process()
    copy(cache, "d")
    assert kept(cache) == "acd"
    assert not (cache / f".{name_of('b')}.used").exists()
    assert [p.name for p in cache.glob(".*.old")] == []


def test_what_is_in_use_stays_even_beyond_the_bound(cache: Path) -> None:
    for letter in "abc":
        copy(cache, letter)
    age(cache, "abc")
    copy(cache, "d")
    assert kept(cache) == "abcd"
    end_of_process()
    age(cache, "abcd")
    copy(cache, "e")
    assert kept(cache) == "cde"


def test_one_that_is_being_checked_or_made_stays(cache: Path) -> None:
    for letter in "abc":
        copy(cache, letter)
    end_of_process()
    age(cache, "abc")
    with private_lock(cache / f".{name_of('a')}.lock"):
        copy(cache, "d")
    assert kept(cache) == "acd"


def _use(cache: str, ready: object, done: object) -> None:
    cache_room.hold(Path(cache) / name_of("a"))
    ready.set()  # type: ignore[attr-defined]
    done.wait(60)  # type: ignore[attr-defined]


def test_another_process_keeps_what_it_uses_until_it_ends(cache: Path) -> None:
    for letter in "abc":
        copy(cache, letter)
    end_of_process()
    ready, done = context.Event(), context.Event()
    user = context.Process(target=_use, args=(str(cache), ready, done))
    user.start()
    assert ready.wait(60)
    age(cache, "abc")
    copy(cache, "d")
    assert kept(cache) == "acd"
    done.set()
    user.join(60)
    end_of_process()
    age(cache, "acd")
    copy(cache, "e")
    assert kept(cache) == "cde"


def test_one_larger_than_the_bound_is_made_alone(cache: Path) -> None:
    for letter in "ab":
        copy(cache, letter)
    end_of_process()
    copy(cache, "c", 100 * KIB)
    assert kept(cache) == "c"


def test_folders_of_others_are_left_alone(cache: Path) -> None:
    copy(cache, "a")
    (cache / "mine").mkdir()
    (cache / "mine" / "file").write_bytes(bytes(100 * KIB))
    (cache / f"{name_of('b')}x").mkdir()
    (cache / name_of("c")).symlink_to("mine")
    end_of_process()
    copy(cache, "d", 40 * KIB)
    assert not (cache / name_of("a")).exists()
    assert (cache / "mine" / "file").exists() and (cache / name_of("c")).is_symlink()
    assert (cache / f"{name_of('b')}x").is_dir()


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", "1 GiB"])
def test_a_bound_that_is_no_number_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(cache_room.VARIABLE, text)
    with pytest.raises(EnvironmentFault, match="must be a number of GiB") as raised:
        copy(cache, "a")
    assert cache_room.VARIABLE in str(raised.value) and text in str(raised.value)
    assert kept(cache) == ""


def test_by_default_it_is_a_share_of_what_is_free_or_taken(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    monkeypatch.delenv(cache_room.VARIABLE)
    monkeypatch.setattr(cache_room.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    assert cache_room._bound(cache, 60) == 40
    monkeypatch.setattr(cache_room.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**50))
    assert cache_room._bound(cache, 0) == 32 * 2**30
