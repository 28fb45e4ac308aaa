"""A file that cannot be written whole: the former one stays, and no part is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fer_tune.storage.paths import write_atomically


def test_a_full_disk_leaves_the_former_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "manifest.json"
    write_atomically(file, "former")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, "new")
    assert file.read_text() == "former" and list(tmp_path.iterdir()) == [file]


def test_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "manifest.json", "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["manifest.json"]


def test_what_is_asked_before_a_write_can_refuse_it(tmp_path: Path) -> None:
    def refuse() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "manifest.json", "new", before=refuse)
    assert list(tmp_path.iterdir()) == []
