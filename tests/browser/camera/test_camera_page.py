"""The page before a camera, in a real Chromium with a camera that plays a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browser_views import View
from camera_views import VIEWS, Open, boxes, rows, start
from test_browser_access import violations

from fer_tune.models.card import LIMITS
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.mtcnn import Mtcnn
from tests.serving.web.pages import astronaut, tiny


def test_the_camera_is_followed(show_page: Open, addresses: dict[str, str]) -> None:
    """The box lies on the face, label and bars are shown, and nothing is asked of others."""
    page = show_page("one")
    assert page.inner_text("#status") == "Ready."
    start(page)
    expected = np.array(Mtcnn().detect(astronaut())[0].box)
    assert iou(expected, boxes(page))[0] > 0.5
    said = page.inner_text(".verdict")
    shown = dict(zip(tiny().card.classes, rows(page)[0], strict=True))
    assert sum(shown.values()) == pytest.approx(1, abs=1e-3)
    assert said.split("\n")[0] == max(shown, key=lambda name: shown[name])
    widths = page.eval_on_selector_all(
        ".fill", "all => all.map(one => parseFloat(one.style.width))"
    )
    # Another frame may have come in between.
    np.testing.assert_allclose(widths, [100 * value for value in shown.values()], atol=2)
    page.wait_for_selector("body[data-fps]")
    page.wait_for_timeout(1500)
    assert float(page.get_attribute("body", "data-fps") or 0) > 0
    assert "frames per second" in page.inner_text("#speed")
    outside = [url for url in page.requests if not url.startswith((addresses["one"], "blob:"))]
    assert len(page.requests) > 20 and outside == []
    page.click("#camera")
    assert page.inner_text("#status") == "The camera is off."
    assert page.evaluate("document.getElementById('video').srcObject") is None
    assert page.get_attribute("body", "data-threads") != "1"


def test_other_servers_cannot_be_asked(show_page: Open, addresses: dict[str, str]) -> None:
    page = show_page("one")
    ask = "(url) => fetch(url, {mode: 'no-cors'}).then(() => 'sent', () => 'blocked')"
    assert page.evaluate(ask, addresses["one"] + "healthz") == "sent"
    assert page.evaluate(ask, addresses["two"] + "healthz") == "blocked"


def test_frames_have_the_pixels_that_are_shown(show_page: Open) -> None:
    """Copied, or drawn where a browser cannot copy them, or where they are to be turned."""
    page = show_page("one")
    start(page)
    found = page.evaluate(
        """async () => {
      const { currentFrame, pixelsOf } = await import('./lib/frames.js');
      const video = document.getElementById('video');
      const drawn = [];
      for (const change of [(frame) => frame, ...['rotation', 'allocationSize'].map((name) =>
          (frame) => Object.defineProperty(frame, name,
            { value: name === 'rotation' ? 180 : () => 460800 }))]) {
        const before = OffscreenCanvasRenderingContext2D.prototype.drawImage;
        let count = 0;
        OffscreenCanvasRenderingContext2D.prototype.drawImage = function (...given) {
          count += 1;
          return before.apply(this, given);
        };
        const { data, width, height } = await pixelsOf(change(await currentFrame(video)));
        OffscreenCanvasRenderingContext2D.prototype.drawImage = before;
        drawn.push([count, width, height, [...data.filter((_, at) => at % 997 === 0)]]);
      }
      const { data } = await pixelsOf(await createImageBitmap(video));
      return [drawn, [...data.filter((_, at) => at % 997 === 0)]];
    }"""
    )
    ways, expected = found
    assert [way[:3] for way in ways] == [[n, 640, 480] for n in (0, 1, 1)]
    assert np.std(expected) > 20
    for *_, values in ways:
        np.testing.assert_allclose(values, expected, atol=2)


def test_the_mirror_turns_video_and_boxes(show_page: Open) -> None:
    page = show_page("one")
    start(page)
    middle = """() => {
      const canvas = document.getElementById('overlay');
      const {width, height} = canvas;
      const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
      let low = width, high = 0;
      for (let y = Math.round(height * 0.3); y < height; y++) for (let x = 0; x < width; x++)
        if (data[(y * width + x) * 4 + 3] > 0) { low = Math.min(low, x); high = Math.max(high, x); }
      return (low + high) / 2 / width;
    }"""
    mirrored = page.evaluate(middle)
    assert page.locator("#video.mirrored").count() == 1
    page.uncheck("#mirror")
    before = page.get_attribute("body", "data-result")
    page.wait_for_selector(f"body[data-result]:not([data-result='{before}'])")
    page.wait_for_timeout(300)
    assert page.locator("#video.mirrored").count() == 0
    assert mirrored == pytest.approx(1 - page.evaluate(middle), abs=0.03)
    assert abs(mirrored - 0.5) > 0.02


def test_nobody_before_the_camera(show_page: Open) -> None:
    page = show_page("one", "nobody")
    start(page)
    assert page.inner_text(".verdict").startswith("No face")
    assert boxes(page).size == 0 and page.inner_text("#announcement") == "No face"


def test_a_low_probability_is_called_uncertain(show_page: Open) -> None:
    page = show_page("unsure")
    start(page)
    assert page.inner_text(".verdict").startswith("Uncertain\nat most")
    assert max(rows(page)[0]) < 0.999


def test_both_arms_side_by_side(show_page: Open) -> None:
    page = show_page("two")
    start(page)
    assert page.locator(".model h2").all_inner_texts() == ["densenet161", "resnet152"]
    first, second = rows(page)
    assert first != second and sum(second) == pytest.approx(1, abs=1e-3)
    places = [page.locator(".model").nth(n).bounding_box() for n in (0, 1)]
    assert places[0]["y"] == places[1]["y"] and places[0]["x"] < places[1]["x"]


def test_a_frame_that_cannot_be_read_is_named(show_page: Open) -> None:
    script = """
    const Real = window.VideoFrame;
    window.VideoFrame = function (...given) {
      if (window.breaks) throw new Error("no frame");
      return new Real(...given);
    };
    """
    page = show_page("one", script=script)
    start(page)
    page.evaluate("window.breaks = true")
    page.locator("#status.problem", has_text="no frame").wait_for()
    assert page.inner_text("#camera") == "Start camera"


def test_the_columns_of_the_card_have_heads(show_page: Open) -> None:
    page = show_page("one")
    heads = page.locator("#card-text th[scope=col]").all_text_contents()
    assert heads == ["macro-F1", "accuracy"]
    assert page.locator("#card-text th[scope=row]").count() == 3


def test_the_keyboard_reaches_everything(show_page: Open) -> None:
    page = show_page("one")
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert {"camera", "open", "mirror", "smooth", "about"} <= set(reached)
    page.focus("#camera")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-result]", timeout=60_000)
    assert page.inner_text("#announcement") in tiny().card.classes
    page.focus("#mirror")
    page.keyboard.press("Space")
    assert not page.is_checked("#mirror")
    page.focus("#about")
    page.keyboard.press("Enter")
    assert page.is_visible("#card") and page.evaluate(
        "document.activeElement.closest('#card') !== null"
    )
    page.keyboard.press("Escape")
    assert not page.is_visible("#card")
    assert page.evaluate("document.activeElement.id") == "about"


def test_card_and_limits_are_one_click_away(show_page: Open) -> None:
    page = show_page("two")
    assert "do not use it for decisions about people" in page.inner_text("footer")
    page.click("#about")
    text = page.inner_text("#card")
    assert all(text.count(limit) == 2 for limit in LIMITS)
    assert text.count("macro-F1") == 2 and "temperature 1.700" in text


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_rule_is_violated(view: View, show_page: Open, axe: str, pictures: Path) -> None:
    page = show_page("two", view=view)
    assert violations(page, axe) == [], "before the camera is on"
    start(page)
    page.screenshot(path=pictures / f"camera {view.name}.png", full_page=True)
    assert violations(page, axe) == [], "with the camera"
    assert page.evaluate("document.scrollingElement.scrollWidth") <= view.width
    page.click("#about")
    page.screenshot(path=pictures / f"card {view.name}.png")
    assert violations(page, axe) == [], "with the card"
