"""A small results folder, and copies of it to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest
from mangled import small


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(tmp_path_factory.mktemp("whole") / "r")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of the whole folder."""
    for file in sorted(whole.rglob("*")):
        target = tmp_path / "r" / file.relative_to(whole)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            target.write_bytes(file.read_bytes())
    return tmp_path / "r"
