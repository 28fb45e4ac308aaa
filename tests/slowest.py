"""Which tests take long: printed at the end of every run, left out by `make fast`, begun first.

``tests/slow_tests.txt`` names those that `make fast` leaves out besides the marked ones. `make
slow-list` measures and writes it anew. ``tests/long_files.txt`` names the files that take longest,
which `make long-list` does the same for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

SHOWN = 10
SLOW_LIST = Path(__file__).with_name("slow_tests.txt")
LONG_LIST = Path(__file__).with_name("long_files.txt")
#: Seconds from which a test with all its parameters is left out, and from which its whole file is:
#: what a fixture of the file costs, another test of it would cost as well.
SLOW_TEST_S, SLOW_SETUP_S = 0.5, 0.7
#: Seconds from which a file is begun before all that take less.
LONG_FILE_S = 20.0


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, file in (("slow", SLOW_LIST), ("long", LONG_LIST)):
        parser.addoption(
            f"--write-{name}-list", action="store_true", help=f"write {file.name} anew"
        )


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Adds the marker ``slow`` to the tests of the list."""
    listed = set(SLOW_LIST.read_text(encoding="utf-8").splitlines())
    for item in items:
        name = _without_parameters(item.nodeid)
        if not listed.isdisjoint({name, name.partition("::")[0]}):
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
