"""Which tests `make fast` leaves out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.slowest import (
    LONG_FILE_S,
    LONG_LIST,
    SLOW_LIST,
    SLOW_SETUP_S,
    SLOW_TEST_S,
    excluded_marks,
    is_left_out,
    long,
    place_of,
    slow,
)

ROOT = Path(__file__).resolve().parents[1]


def report(name: str, when: Any, seconds: float) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=name,
        location=(name, 0, name),
        keywords={},
        outcome="passed",
        longrepr=None,
        when=when,
        duration=seconds,
    )


def test_slow_tests_and_files_of_slow_fixtures_are_left_out() -> None:
    long, expensive = SLOW_TEST_S + 0.1, SLOW_SETUP_S + 0.1
    reports = [
        report("a.py::quick", "setup", 0.01),
        report("a.py::quick", "call", 0.01),
        *(report(f"a.py::long[{number}]", "call", long / 4) for number in range(4)),
        report("b.py::first", "setup", expensive),
        report("b.py::second", "call", long),
    ]
    assert slow(reports) == ["a.py::long", "b.py"]


def test_the_longest_files_are_begun_first() -> None:
    half = LONG_FILE_S / 2 + 0.1
    reports = [
        report("a.py::one", "setup", half),
        report("a.py::one", "call", half),
        report("b.py::one", "call", half),
        *(report(f"c.py::{number}", "call", half) for number in range(3)),
    ]
    assert long(reports) == ["c.py", "a.py"]


def test_files_that_are_not_listed_come_last() -> None:
    items: list[Any] = [SimpleNamespace(nodeid=f"{name}.py::test") for name in "xbay"]
    items.sort(key=lambda item: place_of(item, ["a.py", "b.py"]))
    assert [item.nodeid[0] for item in items] == ["a", "b", "x", "y"]


def test_what_is_listed_exists() -> None:
    listed = SLOW_LIST.read_text(encoding="utf-8") + LONG_LIST.read_text(encoding="utf-8")
    for line in listed.splitlines():
        file, _, test = line.partition("::")
        assert f"def {test.rpartition('::')[2]}(" in (ROOT / file).read_text() or not test, line


@pytest.mark.parametrize(
    ("marks", "left_out"),
    [
        ("pytestmark = pytest.mark.ray", True),
        ("pytestmark = [\n    pytest.mark.skipif(x[0]),\n    pytest.mark.kills,\n]", True),
        ("pytestmark = pytest.mark.slow", True),
        ("pytestmark = [pytest.mark.timeout(9), pytest.mark.sample]", False),
        ("@pytest.mark.ray\ndef test_one() -> None: ...", False),
        ("ray = pytest.mark.ray", False),
    ],
)
def test_a_file_of_which_no_test_is_left_is_not_imported(
    marks: str, left_out: bool, tmp_path: Path
) -> None:
    file = tmp_path / "test_file.py"
    file.write_text(f"import pytest\n\n{marks}\n\nvalue = 1\n")
    assert is_left_out(file, excluded_marks("not ray and not slow and not kills")) is left_out
    assert not is_left_out(file, excluded_marks("not browser"))


def test_a_listed_file_is_left_out_where_slow_tests_are() -> None:
    file = ROOT / next(n for n in SLOW_LIST.read_text("utf-8").splitlines() if "::" not in n)
    assert is_left_out(file, {"slow"}) and not is_left_out(file, {"no such mark"})


@pytest.mark.parametrize("expression", ["", "ray", "not ray or slow", "not (ray and slow)"])
def test_other_expressions_leave_no_file_out(expression: str) -> None:
    assert excluded_marks(expression) == set()
