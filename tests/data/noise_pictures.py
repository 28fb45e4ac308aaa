"""Pictures of noise and what stores them, for tests of the data room."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, *, side: int = 12, channels: int = 1) -> np.ndarray:
    """uint8 (side, side, channels), different for each seed."""
    shape = (side, side, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)


def zip_up(folder: Path, target: Path, names: Iterable[Path] | None = None) -> Path:
    """Zips the files of ``folder`` in the given order (by default sorted)."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in names or sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return target
