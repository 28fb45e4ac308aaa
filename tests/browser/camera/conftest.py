"""Served pages of small models, and browsers with a camera that plays a file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser_views import View
from camera_views import FAKE, LAPTOP, Open
from PIL import Image

from benchmarks.serving.threaded import running
from fer_tune.serving.web.contents import Display
from fer_tune.serving.web.server import page_app
from tests.serving.web.pages import astronaut, small_page, tiny, write_video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

#: Frames per second of the camera. The page looks at each, which is most of what these tests cost.
RATE = 5


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    write_video(made / "face.y4m", [astronaut()], per_second=RATE)
    write_video(made / "nobody.y4m", [np.full((480, 640, 3), 120, np.uint8)], per_second=RATE)
    Image.fromarray(astronaut()).save(made / "face.png")
    Image.new("1", (30000, 30000)).save(made / "bomb.png")
    (made / "text.png").write_text("no picture")
    (made / "cut.png").write_bytes((made / "face.png").read_bytes()[:2000])
    return made


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="module")
def window(seeing: Any) -> Callable[[str | None], BrowserContext]:
    """What pages with the same camera share: the page's files, which are several MiB."""
    return functools.cache(lambda video: seeing(video).new_context())


@pytest.fixture
def show_page(window: Any, addresses: dict[str, str]) -> Iterator[Open]:
    """``show_page("one", "face")`` opens a page, and waits until it is ready."""
    shown = ExitStack()

    def open_page(
        name: str, video: str | None = "face", view: View = LAPTOP, script: str = ""
    ) -> Page:
        context = window(video)
        page: Page = context.new_page()
        shown.callback(page.close)
        page.set_viewport_size({"width": view.width, "height": view.height})
        page.emulate_media(color_scheme=view.scheme)
        page.requests = []  # type: ignore[attr-defined]

        def note(request: Request) -> None:
            page.requests.append(request.url)  # type: ignore[attr-defined]

        context.on("request", note)
        shown.callback(context.remove_listener, "request", note)
        if script:
            page.add_init_script(script)
        page.goto(addresses.get(name, name))
        page.wait_for_selector("body[data-state]", timeout=60_000)
        return page

    with shown:
        yield open_page
