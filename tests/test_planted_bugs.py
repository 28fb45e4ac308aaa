"""The bugs of ``benchmarks/planted_bugs`` still fit the code that they are planted in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks.planted_bugs.__main__ import Bug, bugs

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_it_can_be_planted(bug: Bug, tmp_path: Path) -> None:
    planted = tmp_path / bug.file
    planted.parent.mkdir(parents=True)
    planted.write_bytes((ROOT / bug.file).read_bytes())
    before = bug.plant(tmp_path)
    assert planted.read_text(encoding="utf-8") != before
    ast.parse(planted.read_text(encoding="utf-8"))
    assert all((ROOT / test).exists() for test in bug.tests)


def test_a_bug_that_no_longer_fits_is_named(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\na = 1\n")
    bug = Bug(name="twice", file="code.py", old="a = 1", new="a = 2", tests=())
    with pytest.raises(SystemExit, match=r"twice: not once in code\.py"):
        bug.plant(tmp_path)
    assert (tmp_path / "code.py").read_text() == "a = 1\na = 1\n"
