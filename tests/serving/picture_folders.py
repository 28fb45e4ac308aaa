"""A source of pictures: a folder in Kaggle's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def picture_folder(root: Path, classes: Sequence[str], *, same_names: bool = False) -> Path:
    """Three training and three test pictures per class, of noise.

    The last two test pictures of the last class are copies.

    Args:
        same_names: name training and test pictures, of every class, alike.
    """
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True)
            pixels = rng.integers(0, 256, (3, 12, 10), dtype=np.uint8)
            if split == "test" and name == classes[-1]:
                pixels[2] = pixels[1]
            for number, one in enumerate(pixels):
                file = f"{number}.png" if same_names else f"{split[:2]}-{name}-{number}.png"
                Image.fromarray(one).save(folder / file)
    return root
