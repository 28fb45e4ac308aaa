"""The page before a camera, in a real Chromium with a camera that plays a file."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser_views import VIEWS, View
from PIL import Image
from test_browser_access import violations

from fer_tune.data.pixels import Pixels
from fer_tune.models.card import LIMITS
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.mtcnn import Mtcnn
from fer_tune.serving.prediction import FaceReader
from fer_tune.serving.predictor import Predictor
from fer_tune.serving.web.contents import Display
from fer_tune.serving.web.folder import write_page
from fer_tune.serving.web.server import page_app
from tests.serving.web.pages import astronaut, plain_server, running, small_page, tiny, write_video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
VIEWS = tuple(view for view in VIEWS if view.media == "screen")
PHONE, LAPTOP = VIEWS[0], VIEWS[2]

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    write_video(made / "face.y4m", [astronaut()] * 15)
    write_video(made / "nobody.y4m", [np.full((480, 640, 3), 120, np.uint8)] * 15)
    Image.fromarray(astronaut()).save(made / "face.png")
    Image.new("1", (30000, 30000)).save(made / "bomb.png")
    (made / "text.png").write_text("no picture")
    (made / "cut.png").write_bytes((made / "face.png").read_bytes()[:2000])
    return made


@pytest.fixture(scope="module")
def addresses(folder: Path) -> Iterator[dict[str, str]]:
    """Addresses of pages by what they show."""
    one, two = [tiny()], [tiny("densenet161"), tiny("resnet152", 3)]
    displays = {
        "one": (one, Display(threshold=0.2, smoothing=0.5)),
        "two": (two, Display(threshold=0.2)),
        "unsure": (one, Display(threshold=0.999)),
    }
    with ExitStack() as stack:
        found = {}
        for name, (models, display) in displays.items():
            place = folder / f"of {len(models)}"
            place.mkdir(exist_ok=True)
            app = page_app(small_page(place, models, display))
            found[name] = f"http://localhost:{stack.enter_context(running(app))}/"
        yield found


@pytest.fixture(scope="module")
def seeing(folder: Path, launch: Any) -> Callable[[str | None], Browser]:
    """``seeing("face")``: a browser whose camera shows that; None for one without a camera."""

    @functools.cache
    def browser(video: str | None) -> Browser:
        if video is None:
            return launch()
        return launch(*FAKE, f"--use-file-for-fake-video-capture={folder / f'{video}.y4m'}")

    return browser


@pytest.fixture
def show_page(seeing: Any, addresses: dict[str, str]) -> Iterator[Open]:
    """``show_page("one", "face")`` opens a page, and waits until it is ready."""
    contexts = []

    def open_page(
        name: str, video: str | None = "face", view: View = LAPTOP, script: str = ""
    ) -> Page:
        context = seeing(video).new_context(
            viewport={"width": view.width, "height": view.height}, color_scheme=view.scheme
        )
        contexts.append(context)
        page: Page = context.new_page()
        page.requests = []  # type: ignore[attr-defined]
        context.on("request", lambda request: page.requests.append(request.url))
        if script:
            page.add_init_script(script)
        page.goto(addresses.get(name, name))
        page.wait_for_selector("body[data-state]", timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()


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


OBSTACLES = {
    "no camera": (None, "", "No camera was found"),
    "denied": (
        None,
        "navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('x', 'NotAllowedError'))",
        "Permission for the camera was denied",
    ),
    "in use": (
        None,
        "navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('x', 'NotReadableError'))",
        "in use by another program",
    ),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_why_there_is_no_camera(case: str, show_page: Open) -> None:
    video, script, message = OBSTACLES[case]
    page = show_page("one", video, script=script)
    page.click("#camera")
    page.locator("#status.problem", has_text=message).wait_for()
    assert page.is_enabled("#open")


def test_a_browser_without_permission_says_so(launch: Any, addresses: dict[str, str]) -> None:
    page = launch(FAKE[0], "--deny-permission-prompts").new_page()
    page.goto(addresses["one"])
    page.wait_for_selector("body[data-state=ready]")
    page.click("#camera")
    page.locator("#status.problem", has_text="was denied").wait_for()


def test_an_old_browser_is_named(seeing: Any, addresses: dict[str, str]) -> None:
    page = seeing(None).new_page()
    page.add_init_script("delete window.OffscreenCanvas")
    page.goto(addresses["one"])
    page.locator("#status.problem", has_text="too old").wait_for()
    assert not page.is_visible("#camera")
    page.close()


def test_an_old_browser_is_noticed_before_anything_begins(
    seeing: Any, addresses: dict[str, str]
) -> None:
    page = seeing(None).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script("WebAssembly.validate = () => false")
    page.goto(addresses["one"])
    page.locator("#status.problem", has_text="too old").wait_for()
    page.wait_for_timeout(500)
    assert not [url for url in asked if url.endswith(("page.json", "worker.js", ".onnx"))]
    assert "too old" in page.inner_text("#status")
    page.close()


#: A worker that gets no picture while ``breaks`` is set.
BREAKING = """
window.Worker = class extends window.Worker {
  constructor(...words) { super(...words); window.theWorker = this; }
  postMessage(message, transfer) {
    super.postMessage("source" in message && window.breaks ? {...message, source: null} : message);
  }
};
"""


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


def test_a_page_that_cannot_continue_offers_nothing(show_page: Open, folder: Path) -> None:
    """Neither while the camera is on, nor while its permission is asked for."""
    breaks = "theWorker.onerror(new ErrorEvent('error', {message: 'out of memory'}))"
    for script in (BREAKING, BREAKING + ASKING):
        page = show_page("one", script=script)
        if script == BREAKING:
            start(page)
        else:
            page.click("#camera")
        page.evaluate(breaks)
        if script != BREAKING:
            page.evaluate("window.allow()")
            until(page, "window.given !== undefined")
            page.wait_for_timeout(300)
        assert "The page cannot continue: out of memory." in page.inner_text("#status")
        assert not page.is_visible("#video")
        assert page.is_disabled("#camera") and page.is_disabled("#open")


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


#: Permission is given when the test says so.
ASKING = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
const said = new Promise((resolve) => (window.allow = resolve));
navigator.mediaDevices.getUserMedia = async (wanted) => {
  await said;
  return (window.given = await real(wanted));
};
"""


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


def test_the_columns_of_the_card_have_heads(show_page: Open) -> None:
    page = show_page("one")
    heads = page.locator("#card-text th[scope=col]").all_text_contents()
    assert heads == ["macro-F1", "accuracy"]
    assert page.locator("#card-text th[scope=row]").count() == 3


def test_an_address_without_https_says_what_browsers_do(
    folder: Path, launch: Any, addresses: dict[str, str]
) -> None:
    app = page_app(small_page(folder / "of 1", [tiny()]), local=False)
    with running(app) as port:
        page = launch("--host-resolver-rules=MAP page.test 127.0.0.1").new_page()
        page.goto(f"http://page.test:{port}/")
        page.wait_for_selector("body[data-state=ready]")
        assert "only to pages at https and at localhost" in page.inner_text("#status")
        assert page.is_disabled("#camera")
        opened(page, folder / "face.png")
        assert len(boxes(page)) >= 1


def test_any_web_server_will_do(folder: Path, seeing: Any, addresses: dict[str, str]) -> None:
    """Static files without headers work, with one thread."""
    write_page(small_page(folder / "of 1", [tiny()]), folder / "static")
    with plain_server(folder / "static") as port:
        page = seeing("face").new_page()
        page.goto(f"http://localhost:{port}/")
        page.wait_for_selector("body[data-state=ready]")
        assert page.get_attribute("body", "data-threads") == "1"
        start(page)
        assert len(boxes(page)) == 1
        page.close()


def test_a_page_opened_from_a_file_says_why_it_does_not_work(
    folder: Path, seeing: Any, addresses: dict[str, str]
) -> None:
    write_page(small_page(folder / "of 1", [tiny()]), folder / "from a file")
    page = seeing(None).new_page()
    page.goto((folder / "from a file/index.html").as_uri())
    page.locator("#status.problem", has_text="python -m http.server").wait_for()
    page.close()


def test_a_model_that_was_deleted_is_named(tmp_path: Path, seeing: Any) -> None:
    contents = small_page(tmp_path, [tiny()])
    with running(page_app(contents)) as port:
        (tmp_path / "0.onnx").unlink()
        page = seeing(None).new_page()
        page.goto(f"http://localhost:{port}/")
        page.wait_for_selector("body[data-state=failed]")
        assert "start `fer-tune camera` again" in page.inner_text("#status")
        page.close()


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


def test_a_picture_is_never_sent(show_page: Open, folder: Path) -> None:
    """While a camera is on and a picture is opened, requests have no bodies and end."""
    page = show_page("one")
    count = len(page.requests)
    start(page)
    opened(page, folder / "face.png")
    page.wait_for_timeout(500)
    assert [url for url in page.requests[count:] if not url.startswith("blob:")] == []
