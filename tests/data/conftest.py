"""Small picture folders of noise, made afresh for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from noise_pictures import noise, save


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """24 grey PNGs: train and test, angry, happy and sad, 4 each, nested as Kaggle does it."""
    root = tmp_path / "faces"
    seed = 0
    for split, name in (("Training", "train"), ("Testing", "test")):
        for label in ("Angry", "Happy", "Sad"):
            for number in range(4):
                save(root / split / split / label / f"{name}_{number}.png", noise(seed))
                seed += 1
    return root


@pytest.fixture
def shared_data() -> Path:
    """The folder of real pictures beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "../shared/data"
    if not folder.is_dir():
        pytest.skip("no real pictures beside this checkout (../shared/data)")
    return folder
