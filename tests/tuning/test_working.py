"""What is mirrored to a URL from the folder that a search works in."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from fer_tune.tuning import working as module
from fer_tune.tuning.working import cache_folder, working_folder
from tests.object_store import ObjectStore


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_on_a_path_the_folder_is_the_results_folder(tmp_path: Path) -> None:
    with working_folder(tmp_path) as folder:
        assert folder == tmp_path


def test_files_are_there_at_the_end_but_for_rays(store: ObjectStore, cache: Path) -> None:
    root = store.folder("working/end")
    with working_folder(root) as folder:
        assert folder.is_relative_to(cache) and "secret" not in str(folder)
        for name in ("search.log", "tensorboard/a/0/events", "ray/state", "optuna.journal.lock"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        (folder / ".hidden").write_text("")
        assert store.keys(root) == []
    assert set(store.keys(root)) == {"search.log", "tensorboard/a/0/events"}
    assert (folder / "tensorboard").is_dir() and not (folder / "ray").exists()


def test_they_come_now_and_then_and_only_what_has_changed(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.1)
    root = store.folder("working/rounds")
    with working_folder(root) as folder:
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
    with working_folder(store.folder("working/coming")) as folder:

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


def test_the_next_sitting_goes_on_with_log_and_journal(store: ObjectStore) -> None:
    root = store.folder("working/next")
    for name in ("search.log", "optuna.journal", "tensorboard/old"):
        (root / name).write_bytes(name.encode())
    left = cache_folder(root) / "ray/left"
    left.parent.mkdir(parents=True)
    left.write_text("of a killed one")
    with working_folder(root) as folder:
        assert {p.name for p in folder.iterdir()} == {"search.log", "optuna.journal"}
        with (folder / "search.log").open("a") as log:
            log.write(" and more")
    assert (root / "search.log").read_bytes() == b"search.log and more"
    assert (root / "tensorboard/old").is_file()


@pytest.mark.slow
def test_a_store_that_is_away_costs_no_search(store: ObjectStore) -> None:
    root = store.folder("working/away")
    try:
        with working_folder(root) as folder:
            (folder / "search.log").write_text("one\n")
            store.stop()
    finally:
        store.start()
    assert (cache_folder(root) / "search.log").read_text() == "one\n", "it stays here"


def until(reached: object, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    assert callable(reached)
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
