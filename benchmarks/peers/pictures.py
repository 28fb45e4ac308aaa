"""Pictures of a folder or zip in Kaggle's layout, and the predictions file that fer-tune reads.

It runs in the environment of a peer: NumPy and Pillow, nothing of fer_tune. A peer gives a function
that loads its model; the command line, reading, timing and writing are here.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}

#: From a picture, uint8 RGB (h, w, 3), to a score of at least 0 per expression.
Model = Callable[[np.ndarray], Mapping[str, float]]


def pictures(source: Path, under: str) -> Iterator[tuple[str, np.ndarray]]:
    """Names inside the source that begin with ``under``, in order, and pictures in RGB."""
    names = {name: read for name, read in _files(source) if name.startswith(under)}
    if not names:
        sys.exit(f"{source}: no pictures under {under!r}")
    for name in sorted(names):
        with Image.open(io.BytesIO(names[name]())) as image:
            yield name, np.asarray(image.convert("RGB"))


def _files(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if source.is_dir():
        for path in source.rglob("*"):
            if path.suffix.casefold() in SUFFIXES:
                yield path.relative_to(source).as_posix(), path.read_bytes
    else:
        archive = zipfile.ZipFile(source)
        for member in archive.infolist():
            if Path(member.filename).suffix.casefold() in SUFFIXES:
                yield member.filename, lambda member=member: archive.read(member)


def write_predictions(load: Callable[[], Model], description: str) -> None:
    """The command line of every peer: SOURCE --out FILE.csv [--under FOLDER]."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("source", type=Path, help="folder or zip of pictures, Kaggle's layout")
    parser.add_argument("--out", type=Path, required=True, help="the predictions file to write")
    parser.add_argument("--under", default="", help="only names that begin so, such as Testing/")
    given = parser.parse_args()
    model, rows = load(), []
    for name, picture in pictures(given.source, given.under):
        began = time.perf_counter()
        scores = {expression: float(score) for expression, score in model(picture).items()}
        rows.append(
            {"picture": name, "milliseconds": 1000 * (time.perf_counter() - began), **scores}
        )
    scratch = given.out.with_suffix(".part")
    with scratch.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    scratch.replace(given.out)
    print(f"{len(rows)} pictures, {np.median([r['milliseconds'] for r in rows]):.1f} ms each")
