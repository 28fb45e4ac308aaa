"""Which tests take long: printed at the end of every run, and left out by `make fast`.

``tests/slow_tests.txt`` names those that `make fast` leaves out besides the marked ones. `make
slow-list` measures and writes it anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

SHOWN = 10
SLOW_LIST = Path(__file__).with_name("slow_tests.txt")
#: Seconds from which a test with all its parameters is left out, and from which its whole file is:
#: what a fixture of the file costs, another test of it would cost as well.
SLOW_TEST_S, SLOW_SETUP_S = 0.5, 0.7


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-slow-list", action="store_true", help=f"write {SLOW_LIST.name} anew")


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Adds the marker ``slow`` to the tests of the list."""
    listed = set(SLOW_LIST.read_text(encoding="utf-8").splitlines())
    for item in items:
        name = _without_parameters(item.nodeid)
        if not listed.isdisjoint({name, name.partition("::")[0]}):
            item.add_marker(pytest.mark.slow)


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
    if config.getoption("--write-slow-list") and not hasattr(config, "workerinput"):
        SLOW_LIST.write_text("".join(f"{name}\n" for name in slow(reports)), encoding="utf-8")


def _by_file(reports: Iterable[pytest.TestReport]) -> Counter[str]:
    """Seconds, set-up and clean-up included; those of several processes are added up."""
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds[report.nodeid.partition("::")[0]] += report.duration
    return seconds


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
