"""Chromium with the page of `fer-tune camera`, and what it costs; for :mod:`benchmarks.camera`."""

from __future__ import annotations

import json
import os
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.processes import descendants, proportional_mib, title

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_SPEED = re.compile(r"([\d.]+) ms \(face ([\d.]+), expression ([\d.]+)\)")


@contextmanager
def browser(video: Path) -> Iterator[Browser]:
    """A headless Chromium whose camera plays ``video``."""
    from playwright.sync_api import sync_playwright

    words = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"]
    words += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=words)
        yield chromium
        chromium.close()


def astronaut() -> np.ndarray:
    """NASA's portrait of Eileen Collins as a frame of 640 x 480."""
    from skimage import data

    frame = np.full((480, 640, 3), 90, dtype=np.uint8)
    frame[:, 64:576] = data.astronaut()[:480]
    return frame


def write_video(path: Path) -> Path:
    """The astronaut at 30 frames a second, as Chromium's fake camera reads it."""
    if not path.exists():
        bright, *colour = Image.fromarray(astronaut()).convert("YCbCr").split()
        planes = bright.tobytes() + b"".join(one.resize((320, 240)).tobytes() for one in colour)
        head = b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420mpeg2\n"
        path.write_bytes(head + 30 * (b"FRAME\n" + planes))
    return path


def opened(chromium: Browser, port: int, width: int = 1280, scheme: str = "light") -> Page:
    """The page, once its models are there."""
    height = 800 if width > 600 else 844
    page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(f"http://localhost:{port}/")
    page.wait_for_selector("body[data-state]", timeout=300_000)
    assert page.get_attribute("body", "data-state") == "ready", page.inner_text("#status")
    return page


def started(page: Page) -> None:
    """Starts the camera, and waits for what it finds."""
    page.click("#camera")
    page.wait_for_selector("body[data-fps]", timeout=120_000)


def boxes(page: Page) -> np.ndarray:
    return np.array(json.loads(page.get_attribute("body", "data-faces") or "[]"))


def shown(page: Page, file: Path) -> np.ndarray | None:
    """Opens a picture: the first model's probabilities of its largest face; None without one."""
    before = page.get_attribute("body", "data-result")
    page.set_input_files("#file", str(file))
    page.wait_for_selector(f"body[data-result]:not([data-result='{before}'])", timeout=120_000)
    cells = page.locator(".model").first.locator(".number")
    values = cells.evaluate_all("all => all.map(one => one.dataset.value)")
    return None if values[0] == "" else np.array(values, dtype=float)


class Watch:
    """Readings of a page with a camera, and of the processes below this one."""

    def __init__(self) -> None:
        self._rates: list[float] = []
        self._parts: list[list[float]] = []
        self._memory: list[float] = []
        self._began = _ticks()

    def read(self, page: Page) -> None:
        self._rates.append(float(page.get_attribute("body", "data-fps") or 0))
        found = _SPEED.search(page.inner_text("#speed"))
        if found is not None:
            self._parts.append([float(one) for one in found.groups()])
        self._memory.append(sum(map(proportional_mib, _chromium())))
        self._ended = _ticks()

    def speeds(self) -> str:
        took, face, expression = np.median(self._parts, axis=0)
        return (
            f"{statistics.median(self._rates):.1f} frames/s (lowest {min(self._rates):.1f}, "
            f"highest {max(self._rates):.1f}), a frame {took:.0f} ms: face {face:.0f}, expression "
            f"{expression:.0f} (medians)"
        )

    def memory(self) -> str:
        fifth = max(1, len(self._memory) // 5)
        first, last = (
            statistics.median(part) for part in (self._memory[:fifth], self._memory[-fifth:])
        )
        return (
            f"memory of Chromium {first:.0f} MiB in the first fifth, {last:.0f} MiB in the last, "
            f"{max(self._memory):.0f} MiB at most"
        )

    def others(self) -> str:
        total, busy, own = (
            after - before for before, after in zip(self._began, self._ended, strict=True)
        )
        return (
            f"of the CPUs, Chromium and this process used {own / total:.0%}, other programs "
            f"{max(busy - own, 0) / total:.0%}; load {os.getloadavg()[0]:.1f}"
        )


def _chromium() -> list[int]:
    """Ids of the processes of the Chromium that this process started."""
    return [one for one in descendants(os.getpid()) if "chrom" in title(one).partition(" ")[0]]


def _ticks() -> tuple[int, int, int]:
    """CPU time of the machine so far, in all, in use, and of this process and those below it."""
    fields = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    idle = fields[3] + fields[4]
    own = 0
    for process in [os.getpid(), *descendants(os.getpid())]:
        with suppress(OSError):
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            own += int(stat[11]) + int(stat[12])
    return sum(fields), sum(fields) - idle, own
