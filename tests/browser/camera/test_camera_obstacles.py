"""Why the page cannot be used, or not with a camera, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from camera_views import ASKING, BREAKING, FAKE, Open, boxes, opened, start, until

from benchmarks.serving.threaded import running
from fer_tune.serving.web.folder import write_page
from fer_tune.serving.web.server import page_app
from tests.serving.web.pages import plain_server, small_page, tiny

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
