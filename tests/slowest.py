"""Which tests take long: printed at the end of every run, left out by `make fast`, begun first.

``tests/slow_tests.txt`` names those that `make fast` leaves out besides the marked ones. `make
slow-list` measures and writes it anew. ``tests/long_files.txt`` names the files that take longest,
which `make long-list` does the same for.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest

SHOWN = 10
SLOW_LIST = Path(__file__).with_name("slow_tests.txt")
LONG_LIST = Path(__file__).with_name("long_files.txt")
#: Seconds from which a test with all its parameters is left out, and from which its whole file is:
#: what a fixture of the file costs, another test of it would cost as well.
SLOW_TEST_S, SLOW_SETUP_S = 0.3, 0.7
#: Seconds from which a file is begun before all that take less.
LONG_FILE_S = 20.0
#: The only kind of ``-m`` by which a file can be left out unread, as further marks of its tests
#: could not bring them back.
_NOTS = re.compile(r"not \w+(?: and not \w+)*")


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, file in (("slow", SLOW_LIST), ("long", LONG_LIST)):
        parser.addoption(
            f"--write-{name}-list", action="store_true", help=f"write {file.name} anew"
        )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of which no test would be left are not imported; those that are named are."""
    excluded = excluded_marks(config.option.markexpr or "")
    if not excluded or collection_path.suffix != ".py" or _is_named(collection_path, config):
        return None
    return True if is_left_out(collection_path, excluded) else None


def excluded_marks(expression: str) -> set[str]:
    """The marks of ``not a and not b``; none of an expression of another kind."""
    return set(re.findall(r"not (\w+)", expression)) if _NOTS.fullmatch(expression) else set()


def is_left_out(file: Path, excluded: set[str]) -> bool:
    """Whether every test of a file has one of the marks, by the file's own or by the list."""
    if "slow" in excluded and _listed_name(file) in _listed():
        return True
    text = file.read_text(encoding="utf-8")
    return "pytestmark" in text and not excluded.isdisjoint(_marks_of_file(text))


def _marks_of_file(text: str) -> set[str]:
    """Names of the marks in the module's ``pytestmark``."""
    return {
        part.attr
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for part in ast.walk(node.value)
        if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "pytest.mark"
    }


@cache
def _listed() -> frozenset[str]:
    return frozenset(SLOW_LIST.read_text(encoding="utf-8").splitlines())


def _is_named(path: Path, config: pytest.Config) -> bool:
    named = (Path(word.partition("::")[0]) for word in config.args)
    return any(config.invocation_params.dir / one == path for one in named)


def _listed_name(file: Path) -> str:
    root = SLOW_LIST.parents[1]
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Adds the marker ``slow`` to the tests of the list."""
    for item in items:
        name = _without_parameters(item.nodeid)
        if not _listed().isdisjoint({name, name.partition("::")[0]}):
            item.add_marker(pytest.mark.slow)


def place_of(item: pytest.Item, listed: Sequence[str]) -> int:
    """The place of a test's file among those that take longest; all others come after them."""
    name = item.nodeid.partition("::")[0]
    return listed.index(name) if name in listed else len(listed)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    reports = [
        report
        for found in terminalreporter.stats.values()
        for report in found
        if isinstance(report, pytest.TestReport)
    ]
    if not reports:
        return
    terminalreporter.section("slowest test files")
    for name, seconds in _by_file(reports).most_common(SHOWN):
        terminalreporter.write_line(f"{seconds:8.1f} s  {name}")
    for name, file, listed in (("slow", SLOW_LIST, slow), ("long", LONG_LIST, long)):
        if config.getoption(f"--write-{name}-list") and not hasattr(config, "workerinput"):
            file.write_text("".join(f"{line}\n" for line in listed(reports)), encoding="utf-8")


def _by_file(reports: Iterable[pytest.TestReport]) -> Counter[str]:
    """Seconds, set-up and clean-up included; those of several processes are added up."""
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds[report.nodeid.partition("::")[0]] += report.duration
    return seconds


def long(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Files to begin with, the longest first."""
    return [name for name, s in _by_file(reports).most_common() if s >= LONG_FILE_S]


def slow(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Files and tests to leave out, sorted; a test stands for all its parameters."""
    tests: defaultdict[str, float] = defaultdict(float)
    files = set()
    for report in reports:
        name = _without_parameters(report.nodeid)
        if report.when == "setup" and report.duration >= SLOW_SETUP_S:
            files.add(name.partition("::")[0])
        tests[name] += report.duration
    single = {n for n, s in tests.items() if s >= SLOW_TEST_S and n.partition("::")[0] not in files}
    return sorted(files | single)


def _without_parameters(nodeid: str) -> str:
    return nodeid.partition("[")[0]
