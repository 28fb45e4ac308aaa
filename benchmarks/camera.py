"""The page of `fer-tune camera` in Chromium: its speed, its memory, and its probabilities.

Frames per second of every model alone, in float32 and int8, with a camera that plays scikit-image's
astronaut; memory of Chromium's processes over a minute; and the largest difference between the
page's probabilities and Python's on faces of a dataset, opened as pictures one after the other.

    python -m benchmarks.camera MODEL... --data DATASET --runtime FOLDER
        [--seconds 60] [--faces 200] [--screenshots FOLDER] [--clients 200]

With --clients it measures the local server instead: so many clients for a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_tune.data import PackedDataset
from fer_tune.models.kept import KeptModel
from fer_tune.serving.faces.mtcnn import Mtcnn
from fer_tune.serving.finding import find_model
from fer_tune.serving.prediction import FaceReader
from fer_tune.serving.predictor import Predictor
from fer_tune.serving.service.limits import Limits
from fer_tune.serving.service.server import Server, listening_socket
from fer_tune.serving.web.contents import Display, page_contents
from fer_tune.serving.web.networks import PageModel, page_models
from fer_tune.serving.web.runtime import runtime_files
from fer_tune.serving.web.server import CONNECTIONS, page_app

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
#: Seconds before anything is measured: V8 compiles the networks' WebAssembly again meanwhile.
WARM_S = 15


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("models", nargs="+")
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--runtime", type=Path)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--faces", type=int, default=200)
    options.add_argument("--clients", type=int, default=0)
    options.add_argument("--precisions", nargs="+", default=["float32", "int8"])
    options.add_argument("--screenshots", type=Path)
    given = options.parse_args()
    kept = [find_model(one) for one in given.models]
    dataset = PackedDataset.open(given.data)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs")
    if given.clients:
        models = converted(kept[:1], dataset, int8=False)
        measure_server(models, given.runtime, given.clients, given.seconds)
        return
    with tempfile.TemporaryDirectory() as folder:
        video = write_astronaut(Path(folder) / "astronaut.y4m")
        for precision in given.precisions:
            models = converted(kept, dataset, int8=precision == "int8")
            for arm, model in zip(kept, models, strict=True):
                with served([model], given.runtime) as port, browser(video) as chromium:
                    print(f"{arm.card.arm} {precision}: {measure_camera(chromium, port, given)}")
                    if precision == "float32":
                        print(f"  {measure_faces(chromium, port, arm, dataset, given.faces)}")
        if given.screenshots:
            models = converted(kept, dataset, int8="float32" not in given.precisions)
            with served(models, given.runtime) as port, browser(video) as chromium:
                take_screenshots(chromium, port, given.screenshots)


def converted(kept: list[KeptModel], dataset: PackedDataset, *, int8: bool) -> list[PageModel]:
    given = dataset if int8 else None
    return page_models(kept, dataset=given, int8=int8, beginning=lambda one: None)


@contextmanager
def served(models: list[PageModel], runtime: Path | None) -> Iterator[int]:
    """The page at a free port of the loopback."""
    app = page_app(page_contents(models, runtime_files(runtime), Display()))
    listener = listening_socket("127.0.0.1", 0)
    server = Server(app, Limits(connections=CONNECTIONS))
    server.config.timeout_graceful_shutdown = 1
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop()
        thread.join()
        listener.close()


@contextmanager
def browser(video: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    words = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"]
    words += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=words)
        yield chromium
        chromium.close()


def write_astronaut(path: Path) -> Path:
    """640 x 480 at 30 frames a second, as Chromium's fake camera reads it."""
    from skimage import data

    frame = Image.new("RGB", (640, 480), (90, 90, 90))
    frame.paste(Image.fromarray(data.astronaut()).crop((0, 0, 512, 480)), (64, 0))
    bright, *colour = frame.convert("YCbCr").split()
    planes = bright.tobytes() + b"".join(one.resize((320, 240)).tobytes() for one in colour)
    head = b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420mpeg2\n"
    path.write_bytes(head + 30 * (b"FRAME\n" + planes))
    return path


def opened(chromium: Any, port: int, width: int = 1280, scheme: str = "light") -> Any:
    height = 800 if width > 600 else 844
    page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(f"http://localhost:{port}/")
    page.wait_for_selector("body[data-state]", timeout=300_000)
    return page


def measure_camera(chromium: Any, port: int, given: argparse.Namespace) -> str:
    began = time.monotonic()
    page = opened(chromium, port)
    loaded = time.monotonic() - began
    page.click("#camera")
    page.wait_for_selector("body[data-result]", timeout=120_000)
    time.sleep(WARM_S)
    rates, memory, texts = [], [], []
    ends = time.monotonic() + given.seconds
    while time.monotonic() < ends:
        page.wait_for_timeout(2000)
        rates.append(float(page.get_attribute("body", "data-fps") or 0))
        memory.append(resident())
        texts.append(page.inner_text("#speed"))
    threads = page.get_attribute("body", "data-threads")
    page.close()
    fifth = max(1, len(memory) // 5)
    first, last = statistics.median(memory[:fifth]), statistics.median(memory[-fifth:])
    return (
        f"{statistics.median(rates):.1f} frames/s (lowest {min(rates):.1f}, highest "
        f"{max(rates):.1f}), {threads} threads, ready after {loaded:.1f} s, memory {first:.0f} MiB "
        f"in the first fifth and {last:.0f} MiB in the last of {given.seconds:g} s; {texts[-1]}"
    )


def resident() -> float:
    """Memory of all processes of Chromium in MiB, shared pages in equal parts."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"chromium" in (process / "cmdline").read_bytes().split(b"\0")[0]:
                lines = (process / "smaps_rollup").read_text().splitlines()
                total += sum(int(one.split()[1]) for one in lines if one.startswith("Pss:"))
        except (OSError, IndexError):
            continue
    return total / 1024


def measure_faces(
    chromium: Any, port: int, kept: KeptModel, dataset: PackedDataset, count: int
) -> str:
    """Differences of probabilities: half the faces as they are, half pasted into photographs."""
    generator = np.random.default_rng(0)
    positions = generator.choice(len(dataset.labels), count, replace=False)
    reader = FaceReader(predictor=Predictor(kept, device="cpu"), detector=Mtcnn())
    page, differences, equal, found = opened(chromium, port), [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number, position in enumerate(positions):
            pixels = photograph(dataset.picture(int(position)), number)
            file = Path(folder) / f"{number}.png"
            Image.fromarray(pixels).save(file)
            expected = reader.faces(reader.crops(pixels))
            before = page.get_attribute("body", "data-result")
            page.set_input_files("#file", str(file))
            page.wait_for_selector(f"body[data-result]:not([data-result='{before}'])")
            shown = page.eval_on_selector_all(".number", "all => all.map(one => one.dataset.value)")
            assert (shown[0] != "") == bool(expected), f"one of both found no face in {number}"
            if not expected:
                continue
            found += 1
            values = np.array(shown, dtype=float)
            differences.append(np.abs(values - expected[0].probabilities).max())
            equal += int(values.argmax() == expected[0].probabilities.argmax())
    page.close()
    return (
        f"{found} of {count} pictures with a face: largest difference of a probability "
        f"{max(differences):.5f}, median {statistics.median(differences):.6f}, {equal} with the "
        "same expression"
    )


def photograph(pixels: Any, number: int) -> Any:
    """Every second face enlarged three times on a canvas, so that it has to be detected."""
    grey = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if number % 2 == 0:
        return np.asarray(grey.convert("RGB"))
    canvas = Image.new("RGB", (400, 300), (110, 120, 130))
    side = 3 * max(grey.size)
    canvas.paste(grey.convert("RGB").resize((side, side), Image.Resampling.BICUBIC), (120, 70))
    return np.asarray(canvas)


def take_screenshots(chromium: Any, port: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            page = opened(chromium, port, width, scheme)
            page.click("#camera")
            page.wait_for_selector("body[data-fps]", timeout=120_000)
            page.wait_for_timeout(4000)
            page.screenshot(path=folder / f"camera {width} {scheme}.png", full_page=True)
            page.close()


def measure_server(
    models: list[PageModel], runtime: Path | None, clients: int, seconds: float
) -> None:
    """Clients that load a file of the page, each as fast as it is answered."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    with served(models, runtime) as port:
        ends = time.monotonic() + seconds
        before = own_memory()

        def client(number: int) -> None:
            paths = ["/", "/main.js", "/page.json", "/lib/mtcnn.js", "/detector/onet.onnx"]
            while time.monotonic() < ends:
                began = time.monotonic()
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                    connection.request("GET", paths[number % len(paths)])
                    answer = connection.getresponse()
                    answer.read()
                    statuses[answer.status] += 1
                    times.append(time.monotonic() - began)
                    connection.close()
                except (OSError, http.client.HTTPException):
                    statuses[0] += 1
                time.sleep(0.05)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = own_memory()
    ordered = sorted(times)
    p50, p95 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.95))
    total = sum(statuses.values())
    print(
        f"{clients} clients for {seconds:g} s: {total} requests, p50 {p50:.0f} ms, p95 {p95:.0f} "
        f"ms, refused {(total - statuses[200]) / total:.1%} ({json.dumps(statuses)}), memory of "
        f"server and clients {before:.0f} MiB before, {after:.0f} MiB after"
    )


def own_memory() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
