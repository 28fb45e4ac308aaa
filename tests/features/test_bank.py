"""The bank's folder: whose it is, what is in it, and a disk that fills up or denies writing."""

from __future__ import annotations

import logging
import os
import resource
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.features import bank as module
from fer_tune.features import entries
from fer_tune.features.bank import FeatureBank, entry_key
from fer_tune.features.folder import check_folder
from tests.disks import mounted
from tests.features.sources import Counting, provider, rows
from tests.features.sources import entry as entry_of

SHAPE = (10, 8)
KEY = entry_key({"name": "k"})
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of entries and banks that earlier tests have seen."""
    forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "_checked", set())
    monkeypatch.setattr(module, "_logged", set())


def ask(bank: FeatureBank, key: str = KEY) -> tuple[NDArray[Any], bool]:
    found = bank.get(entry_of(key), lambda: rows(10).split(4))
    assert found is not None
    assert np.array_equal(found[0], rows(10).numpy())
    return found


def is_hit(bank: FeatureBank) -> bool:
    return ask(bank)[1]


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


# -- folders that cannot be used ------------------------------------------------------------


def a_file(folder: Path) -> None:
    folder.write_text("mine")


def a_link(folder: Path) -> None:
    folder.with_name("target").mkdir()
    folder.symlink_to("target")


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    (folder / "file").touch()
    folder.chmod(0o777)


def foreign(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving files away needs root")
    folder.mkdir()
    os.chown(folder, 4711, 4711)


@pytest.mark.parametrize("make", [a_file, a_link, open_to_all, foreign])
def test_a_bank_that_cannot_be_used_costs_no_trial(
    make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "bank"
    make(folder)
    with pytest.raises(OSError):
        check_folder(folder)
    before = sorted(tmp_path.rglob("*"))
    for _ in range(2):
        check_on_demand(FeatureBank(folder))
    assert sorted(tmp_path.rglob("*")) == before, "nothing is read there or written"
    assert one_warning(caplog).startswith(f"{folder}: the bank cannot be used, so features are")


def check_on_demand(bank: FeatureBank) -> None:
    """Features come, right ones, without the bank."""
    torch.manual_seed(0)
    prefix = Counting().eval()
    places = np.array([250, 3, 77])
    source = provider(prefix, bank).view(1)
    assert source.hit is None
    assert torch.equal(source.rows(places), provider(prefix, None).view(1).rows(places))


def one_warning(caplog: pytest.LogCaptureFixture) -> str:
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    return warning


# -- disks that deny writing ----------------------------------------------------------------


@contextmanager
def file_size_limit(count: int) -> Iterator[None]:
    """No file may grow beyond ``count`` bytes, as on a full disk that sees it late."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("reserves", [True, False])
def test_a_write_that_is_denied_costs_no_trial(
    reserves: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if not reserves:  # a file system that promises room and has none

        def nothing(*_: object) -> None: ...

        monkeypatch.setattr(os, "posix_fallocate", nothing)
    bank = FeatureBank(tmp_path / "bank")
    with file_size_limit(5000):
        check_on_demand(bank)
        check_on_demand(bank)
    assert "computed on demand" in one_warning(caplog)
    assert list((tmp_path / "bank").glob("*.npy")) == []
    assert list((tmp_path / "bank").glob(".*.npy")) == [], "nothing half-written"
    assert provider(Counting().eval(), bank).view(1).hit is False, "used again once it can be"


def test_a_full_disk_is_noticed_before_anything_is_computed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both without room for an entry, and without room for anything."""
    with mounted(tmp_path / "disk", "64k") as disk:
        bank = FeatureBank(disk / "bank", max_bytes=10**6)
        (disk / "filling").write_bytes(bytes(50_000))
        prefix = Counting().eval()
        source = provider(prefix, bank).view(1)
        assert source.hit is None and prefix.seen == []
        assert source.rows(np.array([3])).shape == (1, 3, 4, 4)
        with pytest.raises(OSError), (disk / "rest").open("wb") as rest:
            while True:
                rest.write(bytes(4096))
                rest.flush()
        check_folder(disk / "bank")
        check_on_demand(bank)
        check_on_demand(FeatureBank(disk / "bank", max_bytes=10**6))
    assert "No space left" in one_warning(caplog)


def test_a_disk_that_is_full_by_now_costs_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The room is taken while the entry is computed, on a disk that reserves none."""
    reserved: list[int] = []
    monkeypatch.setattr(os, "posix_fallocate", lambda _, __, size: reserved.append(size))
    with mounted(tmp_path / "disk", "64k") as disk:

        def competing() -> Iterator[Tensor]:
            (disk / "other").write_bytes(bytes(40_000))
            yield from rows(1000).split(200)

        bank = FeatureBank(disk / "bank", max_bytes=10**6)
        assert bank.get(entry_of(KEY, (1000, 8)), competing) is None
        assert len(reserved) == 1
        assert list((disk / "bank").glob("*.npy")) == []
        assert is_hit(bank) is False and is_hit(bank) is True, "what fits is kept"
    assert "No space left" in one_warning(caplog)


def test_a_disk_that_became_read_only_still_gives_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with mounted(tmp_path / "disk", "1m") as disk:
        bank = FeatureBank(disk / "bank")
        ask(bank)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        forget(monkeypatch)
        assert is_hit(FeatureBank(disk / "bank", max_bytes=10**6)) is True
        check_on_demand(bank)
        with pytest.raises(OSError, match="Read-only"):
            check_folder(disk / "bank")
    assert "Read-only file system" in one_warning(caplog)


def test_an_error_of_the_computation_is_not_the_disks(tmp_path: Path) -> None:
    def failing() -> Iterator[Tensor]:
        yield rows(4)
        raise OSError("the dataset's disk")

    bank = FeatureBank(tmp_path / "bank")
    with pytest.raises(OSError, match="the dataset's disk"):
        bank.get(entry_of(KEY), failing)
    assert list((tmp_path / "bank").glob("*.npy")) == [] and is_hit(bank) is False
