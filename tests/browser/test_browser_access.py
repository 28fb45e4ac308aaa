"""Readable by everybody: axe-core's rules of level A and AA, and the contrast of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser_views import LAPTOP, OPEN, VIEWS, View
from svg_contrast import contrast, faint_labels

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCENARIOS = ("six", "unfinished", "single", "failed")
_LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_RUN = """
async (levels) => {
  // What is inside a figure is presentational: its name and description stand for it. It is most
  // of a page's elements, and axe-core copies them all before it leaves any out.
  const figures = [...document.querySelectorAll('svg')].map((svg) => [svg, [...svg.childNodes]]);
  for (const [svg] of figures)
    svg.replaceChildren(...svg.querySelectorAll(':scope > title, :scope > desc'));
  const found = await axe.run({exclude: ['svg > *']}, {
    runOnly: {type: 'tag', values: levels}, resultTypes: ['violations'],
  });
  for (const [svg, children] of figures) svg.replaceChildren(...children);
  return found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`
  ));
}
"""


def violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds wrong, rule by rule and element by element; figures are empty for it."""
    page.evaluate(axe)
    found: list[str] = page.evaluate(_RUN, _LEVELS)
    return found


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_rule_is_violated(view: View, show: Any, reports: Any, axe: str) -> None:
    page = show(view, reports("plain").html)
    assert violations(page, axe) == [], "with its folds closed"
    page.evaluate(OPEN)
    assert violations(page, axe) == [], "with its folds open"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_rule_is_violated_whatever_the_search(
    scenario: str, show: Any, reports: Any, axe: str
) -> None:
    page = show(LAPTOP, reports(scenario).html)
    page.evaluate(OPEN)
    assert violations(page, axe) == []


@pytest.mark.parametrize("view", VIEWS[:4:2], ids=lambda view: view.name)
def test_no_rule_is_violated_by_the_interactive_plots(
    view: View, show: Any, reports: Any, axe: str
) -> None:
    page = show(view, reports("plain").explore)
    page.wait_for_selector(".js-plotly-plot .main-svg")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= view.width
    assert violations(page, axe) == []


#: What is printed has the same colours whatever the screen's; six arms take more of the palette.
_LOOKS = [("plain", view) for view in VIEWS[2:5]] + [("six", VIEWS[3])]


@pytest.mark.parametrize(("scenario", "view"), _LOOKS, ids=lambda part: getattr(part, "name", part))
def test_labels_of_figures_stand_out(scenario: str, view: View, show: Any, reports: Any) -> None:
    page = show(view, reports(scenario).html)
    page.evaluate(OPEN)
    assert page.locator("svg text:visible").count() > 20
    assert faint_labels(page) == []


_HEAD = "<!DOCTYPE html><html lang='en'><title>x</title><main><h1>x</h1>"
PLANTED = {
    "image-alt": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    "svg-img-alt": "<svg role='img' width='9' height='9'><text>words</text></svg>",
    "color-contrast": "<p style='color: #999; background: #fff'>faint words</p>",
    "target-size": 2 * "<button style='width: 9px; height: 9px; padding: 0'>x</button>",
}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_violation_is_seen(rule: str, show: Any, axe: str) -> None:
    page = show(LAPTOP, f"{_HEAD}{PLANTED[rule]}</main></html>")
    assert {found.split(":")[0] for found in violations(page, axe)} == {rule}


def test_a_sound_page_passes(show: Any, axe: str) -> None:
    assert violations(show(LAPTOP, f"{_HEAD}<p>words</p></main></html>"), axe) == []


def _figure(text: str, behind: str = "none") -> str:
    return (
        "<svg width='300' height='60'><rect width='300' height='60' "
        f"fill='{behind}'/><text x='20' y='40' {text}>label</text></svg>"
    )


FAINT = {
    "grey on white": _figure("fill='#999'"),
    "black on navy": _figure("fill='#000'", "#001a4d"),
    "half transparent": _figure("fill='#333' opacity='0.4'"),
}
CLEAR = {
    "black on white": _figure("fill='#000'"),
    "white on navy": _figure("fill='#fff'", "#001a4d"),
}


@pytest.mark.parametrize("case", FAINT)
def test_a_faint_label_is_seen(case: str, show: Any) -> None:
    assert len(faint_labels(show(LAPTOP, _HEAD + FAINT[case]))) == 1


@pytest.mark.parametrize("case", CLEAR)
def test_a_clear_label_passes(case: str, show: Any) -> None:
    assert faint_labels(show(LAPTOP, _HEAD + CLEAR[case])) == []


def test_contrast_is_that_of_the_guidelines() -> None:
    """21 for black on white, 4.54 for #767676, the lightest grey that passes on white."""
    white = np.array([[255.0, 255.0, 255.0]])
    assert contrast([0, 0, 0], 1.0, white)[0] == pytest.approx(21)
    assert contrast([0x76] * 3, 1.0, white)[0] == pytest.approx(4.54, abs=0.01)
    assert contrast([0, 0, 0], 0.0, white)[0] == pytest.approx(1)
