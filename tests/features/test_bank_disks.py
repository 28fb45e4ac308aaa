"""A bank that cannot be used, or whose disk fills up or denies writing, costs no trial."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fer_tune.features.bank import FeatureBank
from fer_tune.features.folder import check_folder
from tests.disks import mounted
from tests.features.bank_asking import KEY, ask, forget, is_hit
from tests.features.sources import Counting, provider, rows
from tests.features.sources import entry as entry_of


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of entries and banks that earlier tests have seen."""
    forget(monkeypatch)


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
