"""The pages load nothing but themselves, and complain about nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser_views import FIRST_SCREEN, LAPTOP, OPEN

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request


class Watch:
    """What a page asked for beside itself and its own data, and what it complained about."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("console", lambda reported: self._told(reported.type, reported.text))
        page.on("pageerror", lambda error: self._told("error", str(error)))

    def _asked(self, request: Request) -> None:
        itself = request.is_navigation_request() and request.url.startswith("file:")
        if not (itself or request.url.startswith(("data:", "blob:", "about:"))):
            self.requests.append(request.url)

    def _told(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)


def watched(show: Any, page_file: Path) -> tuple[Page, Watch]:
    page = show(LAPTOP, "")
    watch = Watch(page)
    page.goto(page_file.as_uri(), wait_until="load")
    page.wait_for_load_state("networkidle")
    return page, watch


def test_the_report_loads_nothing_and_needs_no_script(show: Any, reports: Any) -> None:
    page, watch = watched(show, reports("plain").html)
    page.evaluate(OPEN)
    page.emulate_media(media="print")
    page.emulate_media(media="screen", color_scheme="dark")
    assert watch.requests == [] and watch.complaints == []
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("performance.getEntriesByType('resource').map(r => r.name)") == []


def test_the_interactive_plots_load_nothing_and_are_drawn(show: Any, reports: Any) -> None:
    explore = reports("plain").explore
    assert explore is not None, "explore.html was not written"
    page, watch = watched(show, explore)
    page.wait_for_selector(".js-plotly-plot .main-svg")
    plots = page.locator(".js-plotly-plot")
    drawn = page.locator(".js-plotly-plot:has(.main-svg)")
    assert plots.count() == drawn.count() > 1
    assert watch.requests == [] and watch.complaints == []


PLANTED = {
    "picture": "<img src='http://127.0.0.1:9/x.png' alt=''>",
    "style": "<link rel='stylesheet' href='http://127.0.0.1:9/x.css'>",
    "neighbour": "<img src='beside.png' alt=''>",
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_page_that_loads_something_is_seen(case: str, show: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><title>x</title>{PLANTED[case]}")
    _, watch = watched(show, tmp_path / "page.html")
    assert len(watch.requests) == 1 and watch.complaints


def test_a_page_that_fails_is_seen(show: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html><script>missing()</script>")
    _, watch = watched(show, tmp_path / "page.html")
    assert watch.requests == [] and "missing is not defined" in watch.complaints[0]


def test_the_first_screen_answers_the_question(show: Any, reports: Any, pictures: Path) -> None:
    """Verdict, sentence with its interval, the arms, and the difference's plot begins."""
    page = show(FIRST_SCREEN, reports("plain").html)
    page.screenshot(path=pictures / "first screen.png")
    fold = FIRST_SCREEN.height
    for part in (".verdict .chip", ".verdict .sentence", "table#arms"):
        box = page.locator(part).bounding_box()
        assert box and box["height"] > 0 and box["y"] + box["height"] <= fold, part
    assert "interval" in page.locator(".verdict .sentence").inner_text()
    panel = page.locator("figure.forest svg g[id*=axes_]").first.bounding_box()
    assert panel and panel["y"] < fold
