"""FER2013's CSV, and its ``icml_face_data.csv`` variant whose column names have leading spaces."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped, printable
from fer_tune.data.names import FER2013_CLASSES
from fer_tune.data.pixels import Pixels, UnusableError
from fer_tune.errors import DataError

LAYOUT = (
    "A FER2013 row has an emotion from 0 to 6, the pixels of a square (0 to 255, separated by "
    "spaces) and a Usage"
)


def list_fer_csv(path: Path, reading: Reading) -> Listing:
    """A picture per row.

    Columns are ``emotion`` (0 to 6), ``pixels`` (values 0 to 255 separated by spaces, a square) and
    ``Usage`` (Training, PublicTest, PrivateTest; without it all is training), in any order.

    Raises:
        DataError: a column is missing, or the file is not a CSV.
    """
    header = _header(path)
    missing = [name for name in ("emotion", "pixels") if name not in header]
    if missing:
        raise DataError(
            f"the CSV has no column {' and no column '.join(missing)}",
            where=str(path),
            value=", ".join(header)[:100] or "no columns",
            remedy="FER2013 has the columns emotion, pixels, Usage, separated by commas",
        )
    found = Found(format="FER2013", labels_from="the column emotion", label_files=(path.name,))
    return Listing(items=tuple(_items(path, header, reading)), found=found, layout=LAYOUT)


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        try:
            return [name.strip().casefold() for name in next(csv.reader(lines), [])]
        except csv.Error:
            return []


def _items(path: Path, header: list[str], reading: Reading) -> Iterator[Entry | Skipped]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        rows, name = csv.reader(lines), printable(path.name)
        next(rows)
        try:
            for row in rows:
                if row:
                    yield _item(f"{name}:{rows.line_num}", row, header, reading)
        except csv.Error as error:
            raise DataError(
                f"cannot be read as CSV: {error}",
                where=f"{path}:{rows.line_num}",
                remedy="Fix this line: look for an unclosed quotation mark",
            ) from None


def _item(origin: str, row: list[str], header: list[str], reading: Reading) -> Entry | Skipped:
    if len(row) != len(header):
        return Skipped(origin=origin, reason=f"{len(row)} fields, the header has {len(header)}")
    fields = dict(zip(header, row, strict=True))
    emotion, usage = fields["emotion"].strip(), fields.get("usage")
    if emotion not in map(str, range(len(FER2013_CLASSES))):
        return Skipped(origin=origin, reason=f"emotion must be 0 to 6 (got {emotion[:20]!r})")
    split = None if usage is None else reading.split(usage)
    if usage is not None and split is None:
        return Skipped(origin=origin, reason=f"unknown Usage {usage.strip()[:20]!r}")
    return Entry(
        origin=origin,
        found=emotion,
        class_name=FER2013_CLASSES[int(emotion)],
        split=split,
        load=partial(_load, fields["pixels"]),
    )


def _load(text: str) -> Pixels:
    words = text.split()
    try:
        # int() would also take 1_0, +1 and the digits of other scripts.
        if not text.isascii() or any(sign in text for sign in "+-_"):
            raise ValueError
        values = np.frombuffer(bytes(map(int, words)), dtype=np.uint8)
    except ValueError:
        wrong = next((word for word in words if not _is_value(word)), text)
        raise UnusableError(
            f"pixels must be whole numbers from 0 to 255 (got {wrong[:20]!r})"
        ) from None
    side = math.isqrt(values.size)
    if side * side != values.size or side == 0:
        raise UnusableError(f"{values.size} pixels are not a square; FER2013 has 48 x 48 = 2304")
    return values.reshape(side, side, 1)


def _is_value(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= 255
