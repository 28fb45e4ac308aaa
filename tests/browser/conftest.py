"""A headless Chromium, axe-core, and reports of made-up searches.

Without a browser these tests are skipped; where ``BROWSER_TESTS=required`` is set they fail
instead. ``REPORT_SCREENSHOTS=FOLDER`` keeps the pictures that they take.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from fake_search import SCENARIOS, Plan, write
from filelock import FileLock

import analysis
from analysis.report import ReportPaths

_AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Nothing that calls home, and no sandbox, which containers do not allow.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

#: Every chapter has something to say, and tables are short: what looks at a page takes as long as
#: it has elements.
_PLAIN = Plan(
    name="plain",
    trials=10,
    epochs=8,
    pictures=120,
    replicates=5,
    seeds=2,
    baselines=True,
    random_share=0.3,
    audit_share=0.3,
)
_PLANS = {
    "plain": _PLAIN,
    "six": replace(_PLAIN, skill=SCENARIOS["six"].skill),
    "single": replace(_PLAIN, skill={"densenet161": 0.66}),
    "failed": replace(_PLAIN, failures=0.42, oom=0.18),
    "unfinished": replace(
        _PLAIN, asked=14, running=4, confirmed=False, floors=False, state="interrupted"
    ),
}
#: Whose interactive plots are looked at; for the others they are not drawn.
_EXPLORED = ("plain",)

Reports = Callable[[str], ReportPaths]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder ``browser``."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Any]]:
    """``launch(*arguments)``: a browser with further arguments on its command line.

    Browsers end with the module because Playwright's event loop would be in the way of other tests.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without("Playwright is not installed (it comes with the extra `dev`)")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        _without("there is no Chromium on the PATH, and CHROMIUM does not name one")
    with sync_playwright() as playwright, ExitStack() as stack:

        def start(*arguments: str) -> Any:
            browser = playwright.chromium.launch(
                executable_path=program, args=[*_ARGUMENTS, *arguments]
            )
            stack.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="module")
def chromium(launch: Callable[..., Any]) -> Any:
    """A browser for the tests of one module."""
    return launch()


@pytest.fixture
def show(chromium: Any) -> Iterator[Any]:
    """``show(view, source)`` opens a page; all are closed when the test ends."""
    opened = []

    def show_page(view: Any, source: Path | str) -> Any:
        opened.append(view.page(chromium, source))
        return opened[-1]

    yield show_page
    for page in opened:
        page.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    if not _AXE.exists():
        _without("axe-core is not installed: run `make browser`")
    return _AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """``reports(scenario)``: the report of a made-up search, written once for all processes."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each process has a folder of its own in it

    @cache
    def report(scenario: str) -> ReportPaths:
        folder = root / f"report of {scenario}"
        known = folder / "paths.pickle"
        with FileLock(root / f"{scenario}.lock"):
            if not known.exists():
                with ExitStack() as stack:
                    if scenario not in _EXPLORED:
                        stack.enter_context(
                            patch("analysis.outputs.explore.write_explore", return_value=None)
                        )
                    paths = analysis.write_report(write(folder, _PLANS[scenario]))
                known.write_bytes(pickle.dumps(paths))
            found: ReportPaths = pickle.loads(known.read_bytes())
        return found

    return report


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("REPORT_SCREENSHOTS") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _without(reason: str) -> None:
    if os.environ.get("BROWSER_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
