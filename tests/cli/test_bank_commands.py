"""`fer-tune bank show` and `clear`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_tune.features.bank import FeatureBank, entry_key
from fer_tune.features.entries import Entry
from fer_tune.features.folder import label
from fer_tune.storage.private import private_lock
from tests.command_line import Run
from tests.features.sources import rows

LABELS = [label("resnet18", 48, 1), label("resnet18", 48, 1), label(None, 96, 5), ""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bank with four entries of three kinds, and files of others."""
    bank = FeatureBank(tmp_path / "bank")
    for number, name in enumerate(LABELS):
        one = Entry(
            key=entry_key({"number": number}), shape=(10, 8), dtype=torch.float32, label=name
        )
        assert bank.get(one, lambda: [rows(10)]) is not None
    for other in ("mine.npy", "notes.txt", ".mine.lock"):
        (bank.root / other).write_text("mine")
    (bank.root / "folder").mkdir()
    return bank.root


def mine(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_show_groups_entries_by_what_their_names_say(run: Run, folder: Path) -> None:
    done = run("bank", "show", "--bank", folder, "--json")
    shown = json.loads(done.out)
    size = next(folder.glob("resnet18*.npy")).stat().st_size
    assert (done.code, shown["folder"]) == (0, str(folder))
    assert (shown["entries"], shown["bytes"]) == (4, 4 * size)
    assert 0 < shown["bound"] <= 32 * 2**30
    groups = {(g["backbone"], g["crop_size"], g["depth"]): g for g in shown["groups"]}
    assert {kind: g["entries"] for kind, g in groups.items()} == {
        ("resnet18", 48, 1): 2,
        ("pictures", 96, 5): 1,
        (None, None, None): 1,
    }
    assert abs(groups["resnet18", 48, 1]["last_used"] - time.time()) < 60
    done = run("bank", "show", "--bank", folder)
    assert done.code == 0 and str(folder) in done.out.replace("\n", "")
    for text in ("4 entries", "resnet18", "48 px", "pictures", "earlier version", "just now"):
        assert text in done.out


@pytest.mark.parametrize("command", ["show", "clear"])
def test_a_bank_that_is_not_there_is_empty_and_stays_absent(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("FER_TUNE_BANK", str(tmp_path / "none"))
    done = run("bank", command, "--json")
    shown = json.loads(done.out)
    assert (done.code, shown["folder"]) == (0, str(tmp_path / "none"))
    assert (shown["entries"], shown["bytes"]) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_clear_removes_the_banks_own_files_alone(run: Run, folder: Path) -> None:
    size = next(folder.glob("resnet18*.npy")).stat().st_size
    dead, alive = (folder / f".{'a' * 40}.{letter * 32}.npy" for letter in "bc")
    for path in (dead, alive):
        path.write_bytes(bytes(size))
        path.chmod(0o600)
    os.utime(dead, (0, 0))
    done = run("bank", "clear", "--bank", folder, "--json")
    assert json.loads(done.out) == {"folder": str(folder), "entries": 5, "bytes": 5 * size}
    kept = {"mine.npy", "notes.txt", ".mine.lock", "folder", alive.name, ".room.lock"}
    assert mine(folder) == kept
    done = run("bank", "clear", "--bank", folder)
    assert done.code == 0 and "removed 0 entries, 0.0 MiB freed" in done.out


def test_clear_leaves_a_running_search_what_it_has(run: Run, folder: Path) -> None:
    bank = FeatureBank(folder)
    one = Entry(key=entry_key({"number": 3}), shape=(10, 8), dtype=torch.float32)
    found = bank.get(one, lambda: [rows(10)])
    assert found is not None and found[1] is True
    writing = Entry(key=entry_key({"w": 1}), shape=(10, 8), dtype=torch.float32)

    def chunks() -> list[torch.Tensor]:
        assert run("bank", "clear", "--bank", folder).code == 0
        return [rows(10)]

    written = bank.get(writing, chunks)
    for mapped, _ in (found, written):  # type: ignore[misc]
        assert np.array_equal(mapped, rows(10).numpy())
    assert bank.get(writing, chunks)[1] is True  # type: ignore[index]
    assert bank.get(one, lambda: [rows(10)])[1] is False  # type: ignore[index]


def test_locks_that_are_held_stay(run: Run, folder: Path) -> None:
    held = folder / f".{'a' * 40}.lock"
    free = folder / f".{'b' * 40}.lock"
    free.touch(mode=0o600)
    with private_lock(held):
        assert run("bank", "clear", "--bank", folder).code == 0
        assert held.exists() and not free.exists()


def a_file(path: Path) -> None:
    path.write_text("mine")


def a_link(path: Path) -> None:
    (path.parent / "target").mkdir()
    path.symlink_to("target")


def open_to_all(path: Path) -> None:
    path.mkdir()
    (path / f"{'a' * 40}.npy").touch()
    path.chmod(0o777)


@pytest.mark.parametrize("make", [a_file, a_link, open_to_all])
def test_what_is_no_bank_of_ones_own_is_not_cleared(run: Run, tmp_path: Path, make: object) -> None:
    make(tmp_path / "bank")  # type: ignore[operator]
    before = sorted(tmp_path.rglob("*"))
    done = run("bank", "clear", "--bank", tmp_path / "bank")
    assert done.code == 2 and "the feature bank cannot be read or cleared" in done.err
    assert sorted(tmp_path.rglob("*")) == before
