"""What is mirrored to a URL from the folder that a search works in."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_tune.errors import ResultsError
from fer_tune.tuning.files import local_files as module
from fer_tune.tuning.files.local_files import open_local_folder, search_folder
from tests.object_store import ObjectStore


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_on_a_path_the_folder_is_the_results_folder(tmp_path: Path) -> None:
    with open_local_folder(tmp_path) as folder:
        assert folder == tmp_path


def test_files_are_there_at_the_end_but_for_rays(store: ObjectStore, cache: Path) -> None:
    root = store.folder("working/end")
    with open_local_folder(root) as folder:
        assert folder.is_relative_to(cache) and "secret" not in str(folder)
        for name in ("search.log", "tensorboard/a/0/events", "ray/state", "optuna.journal.lock"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        (folder / ".hidden").write_text("")
        assert store.keys(root) == []
    assert set(store.keys(root)) == {"search.log", "tensorboard/a/0/events"}
    assert (folder / "tensorboard").is_dir() and not (folder / "ray").exists()


def test_the_folder_is_for_its_user_alone(store: ObjectStore, cache: Path) -> None:
    root = store.folder("working/private")
    before = os.umask(0)
    try:
        with open_local_folder(root) as folder:
            for made in (folder, folder.parent):
                assert stat.S_IMODE(made.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def planted_link(folder: Path, elsewhere: Path) -> None:
    folder.parent.mkdir(parents=True, mode=0o700)
    folder.symlink_to(elsewhere)


def open_to_all(folder: Path, elsewhere: Path) -> None:
    folder.parent.mkdir(parents=True)
    (folder.parent / "file").touch()
    folder.parent.chmod(0o777)


def linked_above(folder: Path, elsewhere: Path) -> None:
    folder.parent.parent.mkdir(parents=True)
    folder.parent.symlink_to(elsewhere)


@pytest.mark.parametrize("make", [planted_link, open_to_all, linked_above])
def test_a_folder_that_others_can_fill_is_refused(
    make: Callable[[Path, Path], None], store: ObjectStore, tmp_path: Path
) -> None:
    root, elsewhere = store.folder(f"working/{make.__name__}"), tmp_path / "elsewhere"
    (root / "search.log").write_bytes(b"of an earlier session")
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("")
    make(search_folder(root), elsewhere)
    with (
        pytest.raises(ResultsError, match=r"(symbolic link|other users can write).*XDG_CACHE_HOME"),
        open_local_folder(root),
    ):
        pass
    assert [path.name for path in elsewhere.iterdir()] == ["mine"]


def test_a_log_that_is_too_large_is_refused(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CONTINUED_BYTES", 3)
    root = store.folder("working/large")
    (root / "search.log").write_bytes(b"four")
    with pytest.raises(ResultsError, match=r"search\.log.*: larger than"), open_local_folder(root):
        pass
    assert (root / "search.log").read_bytes() == b"four"


def test_a_user_without_a_home_works_in_the_temporary_folder(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a user number that the container's list of users lacks."""

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_local_folder(store.folder("working/homeless")) as folder:
        home = tmp_path / f"fer_tune-home-{os.getuid()}"
        assert folder.parent == home / ".cache/fer_tune/searches"


def test_they_come_now_and_then_and_only_what_has_changed(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIRROR_INTERVAL_S", 0.1)
    root = store.folder("working/rounds")
    with open_local_folder(root) as folder:
        (folder / "search.log").write_text("one\n")
        until(lambda: (root / "search.log").is_file())
        (root / "search.log").write_bytes(b"touched by the test")
        time.sleep(0.5)
        assert (root / "search.log").read_bytes() == b"touched by the test"
        (folder / "search.log").write_text("one\ntwo\n")
        until(lambda: (root / "search.log").read_bytes() == b"one\ntwo\n")


def test_what_comes_and_goes_meanwhile_is_passed_over(store: ObjectStore) -> None:
    """Optuna's lock does with every trial, Ray's folder with every stage."""
    over = threading.Event()
    with open_local_folder(store.folder("working/coming")) as folder:

        def come_and_go() -> None:
            lock, inner = folder / "optuna.journal.lock", folder / "ray/x/y"
            while not over.is_set():
                lock.write_text("")
                inner.mkdir(parents=True, exist_ok=True)
                lock.unlink()
                shutil.rmtree(folder / "ray", ignore_errors=True)

        (folder / "search.log").write_text("one")
        mirror = module.Mirror(folder, store.folder("working/coming"))
        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            until_then = time.monotonic() + 0.7
            while time.monotonic() < until_then:
                assert [name for name, _ in mirror._files()] == ["search.log"]
        finally:
            over.set()
            thread.join()
            mirror.close()


def test_the_next_session_continues_with_log_and_journal(store: ObjectStore) -> None:
    root = store.folder("working/next")
    for name in ("search.log", "optuna.journal", "tensorboard/old"):
        (root / name).write_bytes(name.encode())
    left = search_folder(root) / "ray/left"
    left.parent.mkdir(parents=True)
    left.write_text("of a killed one")
    with open_local_folder(root) as folder:
        assert {p.name for p in folder.iterdir()} == {"search.log", "optuna.journal"}
        with (folder / "search.log").open("a") as log:
            log.write(" and more")
    assert (root / "search.log").read_bytes() == b"search.log and more"
    assert (root / "tensorboard/old").is_file()


@pytest.mark.slow
def test_an_unavailable_store_ends_no_search(store: ObjectStore) -> None:
    root = store.folder("working/away")
    try:
        with open_local_folder(root) as folder:
            (folder / "search.log").write_text("one\n")
            store.stop()
    finally:
        store.start()
    assert (search_folder(root) / "search.log").read_text() == "one\n", "it stays here"


def until(reached: object, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    assert callable(reached)
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
