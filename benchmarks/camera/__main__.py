"""The page of `fer-tune camera` in Chromium: its speed, its memory, and its probabilities.

    python -m benchmarks.camera FOLDER MODEL... --data DATASET --runtime FOLDER
        [--only STEP...] [--again] [--seconds 60] [--faces 200]

Steps, each of which prints its lines and appends them to FOLDER/STEP.txt as soon as it has ended; a
step with a file is left out, unless `--again` adds another run to it:

    convert ARM PRECISION   the model for the page, kept in FOLDER/cache
    camera ARM PRECISION    frames per second and memory, with a camera that plays scikit-image's
                            astronaut
    faces ARM               differences of probabilities from Python's on faces of the dataset
    both PRECISION          as `camera`, with all arms side by side
    screenshots             phone and laptop, light and dark
    server                  200 clients that load the page's files for a minute

`--only camera densenet161` names all steps whose name has both words. Times depend on what else the
machine does: each line gives the share of its CPUs that other programs used meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.camera.browser import (
    Watch,
    astronaut,
    boxes,
    browser,
    opened,
    shown,
    started,
    write_video,
)
from benchmarks.camera.server import measure_server, served
from fer_tune.data import PackedDataset
from fer_tune.models.kept import KeptModel
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.mtcnn import Mtcnn
from fer_tune.serving.finding import find_model
from fer_tune.serving.prediction import FaceReader
from fer_tune.serving.predictor import Predictor
from fer_tune.serving.web.networks import PageModel, page_models

PRECISIONS = ("float32", "int8")
#: Seconds before anything is measured: V8 compiles the networks' WebAssembly again meanwhile.
WARM_S = 15
#: Seconds between two readings.
EVERY_S = 2


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("models", nargs="+")
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--runtime", type=Path)
    options.add_argument("--only", nargs="+", default=[])
    options.add_argument("--again", action="store_true")
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--faces", type=int, default=200)
    options.add_argument("--clients", type=int, default=200)
    given = options.parse_args()
    given.folder = given.folder.absolute()
    os.environ["XDG_CACHE_HOME"] = str(given.folder / "cache")
    if given.runtime:
        given.runtime = given.runtime.absolute()
    for name, step in steps(given).items():
        file = given.folder / f"{name}.txt"
        if set(given.only) <= set(name.split()) and (given.again or not file.exists()):
            lines = f"{name}: {step()}\n  {time.strftime('%F %T')}, {platform.machine()}\n"
            print(lines, end="", flush=True)
            with file.open("a") as results:
                results.write(lines)


def steps(given: argparse.Namespace) -> dict[str, Callable[[], str]]:
    """By name, in the order in which they run."""
    given.folder.mkdir(parents=True, exist_ok=True)
    kept = [find_model(one) for one in given.models]
    dataset = PackedDataset.open(given.data)
    found: dict[str, Callable[[], str]] = {}
    for precision in PRECISIONS:
        models = partial(converted, dataset=dataset, precision=precision)
        for one in kept:
            arm = one.card.arm
            found[f"convert {arm} {precision}"] = partial(convert, [one], models)
            found[f"camera {arm} {precision}"] = partial(measure_camera, [one], models, given)
            if precision == "float32":
                found[f"faces {arm}"] = partial(measure_faces, one, models, dataset, given)
        if len(kept) > 1:
            found[f"both {precision}"] = partial(measure_camera, kept, models, given)
    plain = partial(converted, dataset=dataset, precision="float32")
    found["screenshots"] = partial(take_screenshots, kept, plain, given)
    found["server"] = partial(measure_page_server, kept[:1], plain, given)
    return found


Models = Callable[[list[KeptModel]], list[PageModel]]


def converted(kept: list[KeptModel], *, dataset: PackedDataset, precision: str) -> list[PageModel]:
    int8 = precision == "int8"
    given = dataset if int8 else None
    return page_models(kept, dataset=given, int8=int8, beginning=lambda one: None)


def convert(kept: list[KeptModel], models: Models) -> str:
    began = time.monotonic()
    (made,) = models(kept)
    return f"{made.file.stat().st_size / 2**20:.0f} MiB in {time.monotonic() - began:.1f} s"


def measure_camera(kept: list[KeptModel], models: Models, given: argparse.Namespace) -> str:
    video = write_video(given.folder / "astronaut.y4m")
    expected = np.array(Mtcnn().detect(astronaut())[0].box)
    with served(models(kept), given.runtime) as port, browser(video) as chromium:
        began = time.monotonic()
        page = opened(chromium, port)
        loaded = time.monotonic() - began
        started(page)
        page.wait_for_timeout(1000 * WARM_S)
        threads = page.get_attribute("body", "data-threads")
        watch, overlaps = Watch(), []
        ends = time.monotonic() + given.seconds
        while time.monotonic() < ends:
            page.wait_for_timeout(1000 * EVERY_S)
            watch.read(page)
            found = boxes(page)
            overlaps.append(iou(expected, found)[0] if len(found) else 0.0)
    return (
        f"{watch.speeds()}; {threads} threads, ready after {loaded:.1f} s; lowest IoU of the box "
        f"{min(overlaps):.2f}\n  {watch.memory()}\n  {watch.others()}"
    )


def measure_faces(
    kept: KeptModel, models: Models, dataset: PackedDataset, given: argparse.Namespace
) -> str:
    """Half the faces as they are, half pasted into photographs."""
    generator = np.random.default_rng(0)
    positions = generator.choice(len(dataset.labels), given.faces, replace=False)
    reader = FaceReader(predictor=Predictor(kept, device="cpu"), detector=Mtcnn())
    differences, overlaps, equal = [], [], 0
    video = write_video(given.folder / "astronaut.y4m")
    with (
        served(models([kept]), given.runtime) as port,
        browser(video) as chromium,
        tempfile.TemporaryDirectory() as folder,
    ):
        page = opened(chromium, port)
        for number, position in enumerate(positions):
            pixels = photograph(dataset.picture(int(position)), number)
            file = Path(folder) / f"{number}.png"
            Image.fromarray(pixels).save(file)
            expected = reader.faces(reader.crops(pixels))
            values = shown(page, file)
            assert (values is not None) == bool(expected), f"one of both found no face in {number}"
            if values is None:
                continue
            differences.append(np.abs(values - expected[0].probabilities).max())
            equal += int(values.argmax() == expected[0].probabilities.argmax())
            if expected[0].face is not None:
                overlaps.append(iou(np.array(expected[0].face.box), boxes(page))[0])
    return (
        f"{len(differences)} of {given.faces} pictures with a face: largest difference of a "
        f"probability {max(differences):.6f}, median {np.median(differences):.6f}, {equal} with "
        f"the same expression; lowest IoU of {len(overlaps)} boxes {min(overlaps):.3f}"
    )


def photograph(pixels: np.ndarray, number: int) -> np.ndarray:
    """Every second face enlarged three times on a canvas, so that it has to be detected."""
    grey = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if number % 2 == 0:
        return np.asarray(grey.convert("RGB"))
    canvas = Image.new("RGB", (400, 300), (110, 120, 130))
    side = 3 * max(grey.size)
    canvas.paste(grey.convert("RGB").resize((side, side), Image.Resampling.BICUBIC), (120, 70))
    return np.asarray(canvas)


def take_screenshots(kept: list[KeptModel], models: Models, given: argparse.Namespace) -> str:
    video = write_video(given.folder / "astronaut.y4m")
    with served(models(kept), given.runtime) as port, browser(video) as chromium:
        for width in (1280, 390):
            for scheme in ("light", "dark"):
                page = opened(chromium, port, width, scheme)
                started(page)
                page.wait_for_timeout(4000)
                page.screenshot(path=given.folder / f"{width} {scheme}.png", full_page=True)
                page.close()
    return f"in {given.folder}"


def measure_page_server(kept: list[KeptModel], models: Models, given: argparse.Namespace) -> str:
    with served(models(kept), given.runtime) as port:
        return measure_server(port, given.clients, given.seconds)


if __name__ == "__main__":
    main()
