"""File systems without locks or sockets are used where that is possible, or named."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from fer_tune.cli.doctor import folders
from fer_tune.cli.doctor.checks import State
from fer_tune.errors import ResultsError
from fer_tune.storage.file_systems import lock_problem, socket_problem
from fer_tune.tuning.files import cache_room
from fer_tune.tuning.log.writer import only_writer


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_this_one_has_both(tmp_path: Path) -> None:
    assert lock_problem(tmp_path / "new") == socket_problem(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS])
def test_a_results_folder_without_locks_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse(monkeypatch, number)
    with pytest.raises(ResultsError, match="has no file locks") as caught, only_writer(tmp_path):
        pass
    assert "-o flock" in str(caught.value) and str(tmp_path) in str(caught.value)


def test_the_cache_works_without_locks_and_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"dataset-{'0' * 32}"
    folder.mkdir()
    refuse(monkeypatch, errno.EOPNOTSUPP)
    monkeypatch.setattr(cache_room, "_held", {})
    cache_room.hold(folder)
    assert folder in cache_room._held
    os.close(cache_room._held[folder])


def test_doctor_reports_folders_before_a_search_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FER_TUNE_RESULTS", "FER_TUNE_BANK", "RAY_TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (good,), (bank,), (ray, _) = folders.results(), folders.bank(), folders.ray_disk()
    assert {good.state, bank.state, ray.state} == {State.OK}
    refuse(monkeypatch, errno.ENOSYS)
    for (found,) in (folders.results(), folders.bank()):
        assert found.state == State.MISSING and "no file locks" in found.found
        assert "Choose another folder with --" in found.remedy

    def bind(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(socket.socket, "bind", bind)
    ray, _ = folders.ray_disk()
    assert ray.state == State.MISSING and "no socket can be created" in ray.found
    assert "RAY_TMPDIR" in ray.remedy


def test_results_at_a_url_need_no_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_TUNE_RESULTS", "s3://bucket/results")
    (found,) = folders.results()
    assert found.state == State.OK and "object store" in found.found
