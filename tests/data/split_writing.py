"""Small folders with splits and classes, for tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from noise_pictures import noise, save

from fer_tune.data import PackedDataset


def folder(root: Path, names: list[str]) -> Path:
    """A folder with a different picture under every name."""
    for number, name in enumerate(names):
        save(root / f"{name}.png", noise(number))
    return root


def classes(splits: list[str], pictures: int = 4) -> list[str]:
    return [
        "/".join(part for part in (split, name, str(k)) if part)
        for split in splits
        for name in ("happy", "sad")
        for k in range(pictures)
    ]


def counts(found: PackedDataset) -> dict[str, int]:
    return dict(Counter(found.splits.tolist()))
