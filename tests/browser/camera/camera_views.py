"""How tests use the page before a camera: start, open a picture, read what is shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from browser_views import VIEWS

if TYPE_CHECKING:
    from playwright.sync_api import Page

VIEWS = tuple(view for view in VIEWS if view.media == "screen")
LAPTOP = VIEWS[2]

FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

Open = Callable[..., Any]

#: A worker that gets no picture while ``breaks`` is set.
BREAKING = """
window.Worker = class extends window.Worker {
  constructor(...words) { super(...words); window.theWorker = this; }
  postMessage(message, transfer) {
    super.postMessage("source" in message && window.breaks ? {...message, source: null} : message);
  }
};
"""
#: Permission is given when the test says so.
ASKING = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
const said = new Promise((resolve) => (window.allow = resolve));
navigator.mediaDevices.getUserMedia = async (wanted) => {
  await said;
  return (window.given = await real(wanted));
};
"""


def start(page: Page) -> None:
    """Starts the camera and waits for the first result."""
    page.click("#camera")
    page.wait_for_selector("body[data-result]", timeout=60_000)


def until(page: Page, condition: str) -> None:
    """Waits for what an expression says; the page's policy forbids Playwright to poll it there."""
    end = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def boxes(page: Page) -> Any:
    return np.array(json.loads(page.evaluate("document.body.dataset.faces")))


def rows(page: Page) -> list[list[float]]:
    """Probabilities of each model, as shown."""
    values = page.eval_on_selector_all(
        ".model",
        "all => all.map(one => [...one.querySelectorAll('.number')]"
        ".map(cell => Number(cell.dataset.value)))",
    )
    return [list(row) for row in values]


def opened(page: Page, file: Path) -> None:
    before = page.get_attribute("body", "data-result")
    page.set_input_files("#file", file)
    page.wait_for_selector(f"body[data-result]:not([data-result='{before}'])", timeout=60_000)
