"""On a phone, a laptop and paper: no page that scrolls sideways, no text cut off, no overlap."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from browser_views import LAPTOP, OPEN, VIEWS, View
from text_boxes import boxes, cut_off, overlaps

SCENARIOS = ("plain", "six", "unfinished", "single", "failed")
_PAGE_SCROLLS = """
() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth
"""


@pytest.mark.parametrize("view", VIEWS[::2], ids=lambda view: view.name.split()[0])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_everything_has_its_place(scenario: str, view: View, show: Any, reports: Any) -> None:
    """Light and dark differ in colours alone, so one of them is enough."""
    page = show(view, reports(scenario).html)
    for opened in (False, True):
        if opened:
            page.evaluate(OPEN)
        assert page.evaluate(_PAGE_SCROLLS) <= 0
        found = boxes(page)
        assert len(found) > 100
        assert cut_off(found) == []
        assert overlaps(found) == []


_RIGHT_EDGES = """
() => [...document.querySelectorAll('caption')].map(caption => {
  const words = document.createRange();
  words.selectNodeContents(caption);
  return words.getBoundingClientRect().right;
}).filter(right => right > 0)
"""


def test_captions_can_be_read_without_scrolling(show: Any, reports: Any) -> None:
    """Those of tables that are wider than a phone too, the tables scrolled or not."""
    page = show(VIEWS[0], reports("six").html)
    page.evaluate(OPEN)
    for scrolled in (0, 120):
        page.evaluate(f"document.querySelectorAll('.wide').forEach(w => w.scrollLeft = {scrolled})")
        edges = page.evaluate(_RIGHT_EDGES)
        assert len(edges) > 10 and max(edges) <= VIEWS[0].width


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_pictures_of_the_whole_page(view: View, show: Any, reports: Any, pictures: Path) -> None:
    page = show(view, reports("plain").html)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = view.scheme == "dark" and view.media == "screen"
    assert (ground != "rgb(255, 255, 255)") == dark, "paper is white whatever the screen is"
    page.screenshot(path=pictures / f"{view.name}.png", full_page=True)


def test_it_prints_on_a4(show: Any, reports: Any, pictures: Path) -> None:
    view = next(view for view in VIEWS if view.media == "print")
    page = show(view, reports("plain").html)
    sheet = page.pdf(path=pictures / "report.pdf", prefer_css_page_size=True, format="A4")
    height = page.evaluate("document.documentElement.scrollHeight")
    sheets = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", sheet)
    assert set(sheets) and all(
        abs(float(w) - 595) < 1.5 and abs(float(h) - 842) < 1.5 for w, h in sheets
    )
    assert math.floor(height / view.height) <= len(sheets) <= 2 * math.ceil(height / view.height)


_PAGE = "<!DOCTYPE html><title>x</title><body style='margin: 8px; font: 16px sans-serif'>"
_LONG = "<span style='white-space: nowrap'>" + "a long line of words " * 20 + "</span>"
_LABELS = """<svg viewBox='0 0 300 200' width='300' height='200'><title>t</title>
<text x='20' y='40'>first label</text><text x='{x}' y='{y}' transform='{turn}'>second</text></svg>
"""

SOUND = {
    "short": "<p>a few words</p>",
    "wrapped": f"<p>{'words ' * 300}</p>",
    "scrolls": f"<div style='overflow-x: auto'>{_LONG}</div>",
    "folded": f"<details><summary>more</summary>{_LONG}</details>",
    "side by side": _LABELS.format(x=140, y=40, turn=""),
    "line under line": _LABELS.format(x=20, y=57, turn=""),
    "turned away": _LABELS.format(x=30, y=100, turn="rotate(-45 30 100)"),
}
CUT = {
    "leaves the page": _LONG,
    "hidden": f"<div style='overflow: hidden; width: 200px'>{_LONG}</div>",
    "starts left of the page": "<p style='margin-left: -60px'>words</p>",
    "starts left of what scrolls": (
        "<div style='overflow-x: auto'><p style='margin-left: -60px'>words</p></div>"
    ),
    "area leaves the page": "<div style='overflow-x: auto; width: 2000px'>words</div>",
    "label leaves its figure": _LABELS.format(x=280, y=40, turn=""),
}
OVERLAPPING = {
    "one on the other": _LABELS.format(x=60, y=42, turn=""),
    "lines too near": _LABELS.format(x=20, y=46, turn=""),
    "turned into it": _LABELS.format(x=30, y=60, turn="rotate(-60 30 60)"),
}


@pytest.mark.parametrize("case", SOUND)
def test_what_is_sound_passes(case: str, show: Any) -> None:
    found = boxes(show(LAPTOP, _PAGE + SOUND[case]))
    assert found and cut_off(found) == [] and overlaps(found) == []


@pytest.mark.parametrize("case", CUT)
def test_what_is_cut_off_is_seen(case: str, show: Any) -> None:
    assert cut_off(boxes(show(LAPTOP, _PAGE + CUT[case])))


def test_a_page_that_scrolls_sideways_is_seen(show: Any) -> None:
    assert show(LAPTOP, _PAGE + CUT["leaves the page"]).evaluate(_PAGE_SCROLLS) > 0


@pytest.mark.parametrize("case", OVERLAPPING)
def test_an_overlap_is_seen(case: str, show: Any) -> None:
    found = overlaps(boxes(show(LAPTOP, _PAGE + OVERLAPPING[case])))
    assert len(found) == 1 and "'first label' on 'second'" in found[0]
