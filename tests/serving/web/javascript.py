"""The page's modules, called from Python."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_tune.data.pixels import Pixels

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = ROOT / "fer_tune/serving/web/page"
#: Where `make browser` puts onnxruntime-web.
RUNTIME = ROOT / "tests/browser/node_modules/onnxruntime-web/dist"


def without(reason: str) -> None:
    """Skips a test, or fails where `BROWSER_TESTS=required` is set."""
    if os.environ.get("BROWSER_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


def needs_node() -> str:
    found = shutil.which("node")
    if found is None:
        without("node, which runs the page's modules, is not installed")
    return str(found)


def needs_runtime() -> Path:
    if not RUNTIME.is_dir():
        without("onnxruntime-web is not installed: run `make browser`")
    return RUNTIME


def picture(pixels: Pixels, *, floats: bool = False) -> dict[str, Any]:
    """uint8 (h, w, c) as an argument."""
    height, width, channels = pixels.shape
    return {
        "width": width,
        "height": height,
        "channels": channels,
        "data": base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode(),
        "floats": floats,
    }


def pixels_of(found: dict[str, Any]) -> np.ndarray[Any, Any]:
    """A returned picture as an array (h, w, c)."""
    shape = found["height"], found["width"], found["channels"]
    return np.array(found["data"]).reshape(shape)


def calls(cases: Sequence[tuple[str, str, Sequence[object]]]) -> list[Any]:
    """Results of (module, function, arguments), in one process of node."""
    given = [{"module": module, "name": name, "args": args} for module, name, args in cases]
    return _run("call.mjs", PAGE, given)


def recognised(folder: Path, pictures: Sequence[Pixels], *, video: bool = False) -> list[Any]:
    """What a page in ``folder`` finds in RGB pictures."""
    return _run("recognise.mjs", folder, [{**picture(one), "video": video} for one in pictures])


def _run(script: str, folder: Path, given: object) -> Any:
    done = subprocess.run(
        [needs_node(), str(HERE / script), str(folder)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
