"""Pictures of noise in files, for tests of commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def put(path: Path, seed: int) -> None:
    """A picture of 8 x 8 pixels, different for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
