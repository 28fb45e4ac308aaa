"""Everything that a page consists of: files by their paths on it, and the settings for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from fer_tune import __version__
from fer_tune.models.card import Card
from fer_tune.serving.faces.networks import files as detector_files
from fer_tune.serving.prediction import UNCERTAIN, training_side
from fer_tune.serving.video.tracking import SMOOTHING_S
from fer_tune.serving.web.networks import PageModel

SCHEMA_VERSION = 1
#: The settings; a folder that holds them is a page.
SETTINGS = "page.json"
#: Headers for Netlify and Cloudflare Pages.
_HEADERS_FILE = "_headers"
#: What folders of a page hold, by suffix.
_FOLDERS = {
    "lib": (".js",),
    "ui": (".js",),
    "runtime": (".mjs", ".wasm"),
    "detector": (".onnx",),
    "models": (".onnx",),
}
#: Response headers: with the first two a browser lets the networks use threads. The page repeats
#: the policy itself, for servers that send no headers.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
        "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: What of a card the page shows or needs. Paths and names of the search stay out of it.
_SHOWN = ("arm", "backbone", "classes", "temperature", "scores", "intended_use", "limits")

Content = Path | bytes


@dataclass(frozen=True, kw_only=True)
class Display:
    """How a page shows what it finds.

    Attributes:
        threshold: probability below which no expression is named, 0 to 1.
        smoothing: time constant in seconds; 0 for none.
    """

    threshold: float = UNCERTAIN
    smoothing: float = SMOOTHING_S


def page_contents(
    models: Sequence[PageModel], runtime: Mapping[str, Path], display: Display
) -> dict[str, Content]:
    """The files of a page by their paths on it, such as ``lib/crop.js``; each a path or its bytes.

    Args:
        runtime: files of onnxruntime-web by name.

    Raises:
        EnvironmentFault: the detector's networks are not installed.
    """
    found: dict[str, Content] = dict(_page())
    found |= {f"runtime/{name}": path for name, path in runtime.items()}
    detector = {f"detector/{name}.onnx": path for name, path in detector_files().items()}
    named = dict(zip(_names(models), models, strict=True))
    # By position: different names may be the same in a URL, or on a disk without case.
    networks = {f"models/{place}.onnx": one.file for place, one in enumerate(models)}
    found |= detector | networks
    settings = {
        "schema_version": SCHEMA_VERSION,
        "fer_tune": __version__,
        "threshold": display.threshold,
        "smoothing": display.smoothing,
        "detector": {Path(where).stem: _file(where, path) for where, path in detector.items()},
        "models": [
            {
                "name": name,
                "side": training_side(one.card),
                "classes": one.card.classes,
                "precision": one.precision,
                "file": _file(where, networks[where]),
                "card": _card(one.card),
            }
            for (name, one), where in zip(named.items(), networks, strict=True)
        ],
    }
    found[SETTINGS] = json.dumps(settings, indent=1, ensure_ascii=False).encode()
    headers = "".join(f"  {name}: {value}\n" for name, value in HEADERS.items())
    found[_HEADERS_FILE] = f"/*\n{headers}".encode()
    return found


def is_part(name: str, *, is_folder: bool) -> bool:
    """Whether a page may have a file or a folder of this path."""
    folder, _, file = name.partition("/")
    if is_folder:
        return name in _FOLDERS
    if file:
        return "/" not in file and file.endswith(_FOLDERS.get(folder, ()))
    return name in (SETTINGS, _HEADERS_FILE) or name in _page()


def _page() -> dict[str, Path]:
    """The page's own files, which come with the package."""
    root = Path(str(resources.files("fer_tune.serving.web").joinpath("page")))
    suffixes = (".html", ".css", ".js", ".svg")
    paths = sorted(path for path in root.rglob("*") if path.suffix in suffixes)
    return {path.relative_to(root).as_posix(): path for path in paths}


def _names(models: Sequence[PageModel]) -> list[str]:
    """The models' names on the page: their arms, numbered where two have the same."""
    counts = Counter(one.card.arm for one in models)
    seen: Counter[str] = Counter()
    names = []
    for one in models:
        arm = one.card.arm
        seen[arm] += 1
        names.append(arm if counts[arm] == 1 else f"{arm} {seen[arm]}")
    return names


def _file(where: str, path: Path) -> dict[str, Any]:
    return {"path": where, "bytes": path.stat().st_size}


def _card(card: Card) -> dict[str, Any]:
    content = card.model_dump(mode="json")
    prepared = content["preprocessing"] | {"resized_side": card.preprocessing.resized_side}
    return {key: content[key] for key in _SHOWN} | {"preprocessing": prepared}
