"""Pages of small models, in a folder or served, and frames of a camera for them."""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_tune.data.pixels import Pixels
from fer_tune.models.kept import KeptModel
from fer_tune.serving.export.onnx_file import to_onnx
from fer_tune.serving.web.contents import Content, Display, page_contents
from fer_tune.serving.web.networks import PageModel
from fer_tune.serving.web.runtime import runtime_files
from tests.serving.export.tiny import tiny_model
from tests.serving.web.javascript import needs_runtime


@functools.cache
def tiny(arm: str = "densenet161", channels: int = 1, contrast: float = 1.0) -> KeptModel:
    """A model that is exported in a second."""
    return tiny_model(channels, contrast=contrast, arm=arm)


def small_page(
    folder: Path, models: Sequence[KeptModel], display: Display | None = None
) -> dict[str, Content]:
    """The contents of a page of ``models``, whose ONNX files are written to ``folder``."""
    found = []
    for number, kept in enumerate(models):
        file = folder / f"{number}.onnx"
        if not file.exists():
            file.write_bytes(to_onnx(kept, "outside"))
        found.append(PageModel(card=kept.card, precision="float32", file=file))
    return page_contents(found, runtime_files(needs_runtime()), display or Display())


@contextmanager
def plain_server(folder: Path) -> Iterator[int]:
    """`python -m http.server` for a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        extensions_map = {  # noqa: RUF012
            **SimpleHTTPRequestHandler.extensions_map,
            ".mjs": "text/javascript",
        }

        def log_message(self, *_: Any) -> None:
            return

    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


def astronaut() -> Pixels:
    """NASA's portrait of Eileen Collins, in the public domain, as a frame of 640 x 480."""
    from skimage import data

    frame = np.full((480, 640, 3), 90, dtype=np.uint8)
    frame[:, 64:576] = data.astronaut()[:480]
    return frame


def write_video(path: Path, frames: Sequence[Pixels], per_second: int = 15) -> Path:
    """Frames as YUV4MPEG2, which Chromium's fake camera plays over and over."""
    height, width = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{per_second}:1 Ip A1:1 C420mpeg2\n".encode())
        for frame in frames:
            bright, blue, red = Image.fromarray(frame).convert("YCbCr").split()
            half = (width // 2, height // 2)
            file.write(b"FRAME\n" + bright.tobytes())
            file.write(blue.resize(half).tobytes() + red.resize(half).tobytes())
    return path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
