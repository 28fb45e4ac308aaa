"""Pictures that are opened on the page, before, instead of and after the camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_views import ASKING, BREAKING, Open, boxes, opened, rows, start, until
from PIL import Image

from fer_tune.data.pixels import Pixels
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.mtcnn import Mtcnn
from fer_tune.serving.prediction import FaceReader
from fer_tune.serving.predictor import Predictor
from tests.serving.web.pages import astronaut, tiny


def test_pictures_get_the_probabilities_of_python(show_page: Open, folder: Path) -> None:
    page = show_page("two")
    small = np.asarray(Image.fromarray(astronaut()).crop((230, 50, 350, 190)).resize((48, 48)))
    Image.fromarray(small).save(folder / "small.png")
    for name, pixels in {"face.png": astronaut(), "small.png": small}.items():
        opened(page, folder / name)
        for place, arm in enumerate([tiny("densenet161"), tiny("resnet152", 3)]):
            np.testing.assert_allclose(rows(page)[place], expected(arm, pixels), atol=0.005)


def expected(arm: Any, pixels: Pixels) -> Any:
    reader = FaceReader(predictor=Predictor(arm), detector=Mtcnn())
    return reader.faces(reader.crops(pixels))[0].probabilities


REFUSED = {
    "text.png": "is not a PNG, JPEG, WebP, GIF or BMP picture",
    "cut.png": "is damaged and cannot be read",
    "bomb.png": "30000 × 30000 pixels; at most 50 million",
}


def test_files_that_are_no_pictures_are_refused(show_page: Open, folder: Path) -> None:
    page = show_page("one")
    for name, message in REFUSED.items():
        page.set_input_files("#file", folder / name)
        page.locator("#status.problem", has_text=message).wait_for()
    opened(page, folder / "face.png")
    assert "face.png, 640 × 480" in page.inner_text("#status")


def test_a_picture_that_fails_does_not_end_the_page(show_page: Open, folder: Path) -> None:
    page = show_page("one", script=BREAKING)
    page.evaluate("window.breaks = true")
    page.set_input_files("#file", folder / "face.png")
    page.locator("#status.problem", has_text="This picture cannot be analysed: ").wait_for()
    page.evaluate("window.breaks = false")
    opened(page, folder / "face.png")
    late = "theWorker.onmessage({data: {kind: 'failed', id: 1, reason: 'too late'}})"
    page.evaluate(late)
    assert "face.png, 640 × 480" in page.inner_text("#status") and len(boxes(page)) == 1
    start(page)
    page.evaluate("window.breaks = true")
    page.locator("#status.problem", has_text="This picture cannot be analysed: ").wait_for()
    assert page.inner_text("#camera") == "Start camera"
    assert page.get_attribute("body", "data-state") == "ready"


def test_large_pictures_are_reduced_to_what_phones_can_draw(show_page: Open, folder: Path) -> None:
    Image.fromarray(astronaut()).resize((5000, 3750)).save(folder / "large.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6  # stored on its side
    sideways = (
        Image.fromarray(astronaut()).resize((5000, 3750)).transpose(Image.Transpose.ROTATE_90)
    )
    sideways.save(folder / "turned.jpg", exif=turned)
    page = show_page("one")
    for name in ("large.jpg", "turned.jpg"):
        opened(page, folder / name)
        width, height = page.evaluate("[picture.width, picture.height]")
        assert 4e6 < width * height <= 4096 * 4096
        assert width / height == pytest.approx(4 / 3, abs=0.01)
        wanted = np.array(Mtcnn().detect(astronaut())[0].box)
        assert iou(wanted, boxes(page) * 640 / width)[0] > 0.5


def test_a_picture_opened_while_permission_is_asked_for_stays(
    show_page: Open, folder: Path
) -> None:
    page = show_page("one", script=ASKING)
    page.click("#camera")
    opened(page, folder / "face.png")
    page.evaluate("window.allow()")
    until(page, "window.given !== undefined")
    page.wait_for_timeout(500)
    assert page.is_visible("#picture") and not page.is_visible("#video")
    assert page.evaluate("given.getTracks().every((one) => one.readyState === 'ended')")
    assert "face.png" in page.inner_text("#status")
    assert page.inner_text("#camera") == "Start camera" and page.is_enabled("#camera")
    start(page)


def test_a_camera_started_while_a_picture_is_read_stays(show_page: Open, folder: Path) -> None:
    script = """
    const real = window.createImageBitmap;
    window.createImageBitmap = async (what, ...rest) => {
      if (what instanceof File) await new Promise((resolve) => (window.go = resolve));
      return real(what, ...rest);
    };
    """
    page = show_page("one", script=script)
    page.set_input_files("#file", folder / "face.png")
    until(page, "window.go !== undefined")
    start(page)
    page.evaluate("window.go()")
    page.wait_for_timeout(500)
    assert page.is_visible("#video") and not page.is_visible("#picture")
    assert page.inner_text("#camera") == "Stop camera"


#: Notes every text of a live region.
HEARD = """
window.heard = [];
document.addEventListener("DOMContentLoaded", () => {
  for (const id of ["status", "announcement"])
    new MutationObserver(() => heard.push([id, document.getElementById(id).textContent]))
      .observe(document.getElementById(id), {childList: true, characterData: true, subtree: true});
});
"""


def test_what_screen_readers_hear(show_page: Open, folder: Path) -> None:
    """No figure of the download; and what is found again, again."""
    page = show_page("one", script=HEARD)
    texts = [text for name, text in page.evaluate("heard") if name == "status"]
    assert texts[-1] == "Ready." and len(texts) <= 4
    assert not [text for text in texts if "MiB" in text]
    Image.new("RGB", (300, 300), (90, 90, 90)).save(folder / "grey.png")
    for _ in range(2):
        opened(page, folder / "grey.png")
    page.wait_for_timeout(400)
    found = [text for name, text in page.evaluate("heard") if name == "announcement"]
    assert found == ["No face", "", "No face"]


def test_a_picture_is_never_sent(show_page: Open, folder: Path) -> None:
    """While a camera is on and a picture is opened, requests have no bodies and end."""
    page = show_page("one")
    count = len(page.requests)
    start(page)
    opened(page, folder / "face.png")
    page.wait_for_timeout(500)
    assert [url for url in page.requests[count:] if not url.startswith("blob:")] == []
