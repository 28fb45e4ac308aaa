"""The bank's folder: whose it is, and what is in it."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_tune.features import bank as module
from fer_tune.features import entries
from fer_tune.features.bank import FeatureBank, entry_key
from tests.features.bank_asking import KEY, ask, forget, is_hit
from tests.features.sources import entry as entry_of
from tests.features.sources import rows

SHAPE = (10, 8)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of entries and banks that earlier tests have seen."""
    forget(monkeypatch)


def test_who_asks_while_an_entry_is_computed_waits_for_it(tmp_path: Path) -> None:
    computed: list[int] = []
    began = threading.Event()
    found: list[Any] = []

    def chunks() -> Any:
        computed.append(1)
        began.set()
        time.sleep(0.5)
        return rows(10).split(4)

    def ask_too() -> None:
        found.append(FeatureBank(tmp_path / "bank").get(entry_of(KEY), chunks))

    askers = [threading.Thread(target=ask_too) for _ in range(3)]
    askers[0].start()
    assert began.wait(30)
    for asker in askers[1:]:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert len(computed) == 1
    assert sorted(hit for _, hit in found) == [False, True, True]
    assert all(np.array_equal(values, rows(10).numpy()) for values, _ in found)


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """The file of an entry, in the bank at ``tmp_path / "bank"``."""
    ask(FeatureBank(tmp_path / "bank"))
    return tmp_path / "bank" / f"{KEY}.npy"


def test_entries_of_an_older_format_are_neither_read_nor_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_FORMAT", module._FORMAT - 1)
    older = entry_key({"name": "k"})
    assert older != KEY
    private = tmp_path / "bank"
    ask(FeatureBank(private), older)
    (private / f"{older}.npy").write_bytes(b"of another format")
    assert not is_hit(FeatureBank(private)) and not caplog.records


# -- entries --------------------------------------------------------------------------------


def test_folder_and_files_are_for_their_user_alone(entry: Path) -> None:
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in entry.parent.iterdir()} == {0o600}


def flipped(path: Path, where: int) -> None:
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)


def other_array(path: Path) -> None:
    np.save(path, np.zeros(SHAPE, np.float32))


def pickled(path: Path) -> None:
    np.save(path, np.array([print] * 10, dtype=object), allow_pickle=True)


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/at/all")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def writable(path: Path) -> None:
    path.chmod(0o666)


DAMAGE = {
    "one bit of the rows": lambda path: flipped(path, 200),
    "one bit of the header": lambda path: flipped(path, 20),
    "one bit of the checksum": lambda path: flipped(path, -1),
    "cut short": lambda path: os.truncate(path, 100),
    "cut by one byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "too long": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "empty": lambda path: path.write_bytes(b""),
    "no array": lambda path: path.write_bytes(b"no array" * 60),
    "without a checksum": other_array,
    "a pickle": pickled,
    "a link": linked,
    "a dangling link": dangling,
    "a pipe": piped,
    "a file that others can write": writable,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_entry_that_is_not_right_is_replaced(
    damage: str, entry: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forget(monkeypatch)
    DAMAGE[damage](entry)
    bank = FeatureBank(entry.parent)
    assert is_hit(bank) is False
    assert f"{entry} is damaged" in caplog.text
    assert entry.is_file() and not entry.is_symlink() and is_hit(bank) is True


def test_an_entry_of_another_key_is_replaced(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)
    other = entry_key({"name": "another"})
    entry.rename(entry.with_name(f"{other}.npy"))
    assert ask(FeatureBank(entry.parent), other)[1] is False


@needs_root
def test_another_users_entry_is_replaced(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)
    os.chown(entry, 4711, 4711)
    assert is_hit(FeatureBank(entry.parent)) is False
    assert entry.stat().st_uid == 0


def test_a_directory_in_its_place_is_left_alone(entry: Path) -> None:
    entry.unlink()
    (entry / "mine").mkdir(parents=True)
    bank = FeatureBank(entry.parent)
    assert bank.get(entry_of(KEY), lambda: [rows(10)]) is None
    assert (entry / "mine").is_dir()


def test_an_entry_is_read_whole_once_by_a_process_unless_it_changes(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(monkeypatch)
    read: list[str] = []
    right = entries._is_right

    def noting(file: Any, wanted: Any) -> bool:
        read.append(wanted.key)
        return right(file, wanted)

    monkeypatch.setattr(entries, "_is_right", noting)
    bank = FeatureBank(entry.parent)
    assert [is_hit(bank) for _ in range(3)] == [True] * 3 and len(read) == 1
    flipped(entry, 200)
    assert is_hit(bank) is False and len(read) == 2
    assert is_hit(bank) is True and len(read) == 2, "what it wrote itself it need not read"


def test_no_file_but_the_banks_own_is_removed(tmp_path: Path) -> None:
    precious = ["mine.npy", f"{KEY[:-1]}.npy", f"{KEY}.npz", ".hidden.npy", f"x{KEY}.npy"]
    for name in precious:
        (tmp_path / name).write_bytes(bytes(1000))
        os.utime(tmp_path / name, (0, 0))
    inside = tmp_path / f"{entry_key({'a': 'folder'})}.npy"
    (inside / "x").mkdir(parents=True)
    link = tmp_path / f"{entry_key({'a': 'link'})}.npy"
    link.symlink_to("mine.npy")
    bank = FeatureBank(tmp_path, max_bytes=600)
    for number in range(3):
        ask(bank, entry_key({"number": number}))
    assert all((tmp_path / name).exists() for name in precious)
    assert (inside / "x").is_dir() and link.is_symlink()
    own = [p for p in tmp_path.glob("[0-9a-f]*.npy") if p.is_file() and p.name not in precious]
    last = tmp_path / f"{entry_key({'number': 2})}.npy"
    assert [p for p in own if not p.is_symlink()] == [last], "its own keep to the bound"
