"""FER2013 (Goodfellow et al. 2013): its CSV, and the folders that are made of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import Tree
from fer_tune.data.formats.base import KnownFormat, as_format, numbered
from fer_tune.data.labels.class_folders import list_class_folders
from fer_tune.data.labels.pixels.source import chosen_tables, list_pixels
from fer_tune.data.labels.pixels.table import PixelRow, PixelTable
from fer_tune.data.listing import Listing, Reading, Skipped, as_number
from fer_tune.data.names import FER2013_CLASSES, class_name
from fer_tune.errors import DataError

NAME = "FER2013"
LAYOUT = (
    "A FER2013 row has an emotion from 0 to 6, the pixels of a square (0 to 255, separated by "
    "spaces) and a Usage"
)
ORDER = numbered(*FER2013_CLASSES)
#: Pictures per label of the whole set.
_COUNTS = (4953, 547, 5121, 8989, 6077, 4002, 6198)
_FILE = re.compile(r"(Training|PublicTest|PrivateTest)_\d+\.\w+", re.IGNORECASE)
#: Share of rows with one label that FER2013 does not have, from which it is another data set.
_FOREIGN = 0.005


def find(tree: Tree, reading: Reading) -> Listing | None:
    """A CSV with the column emotion, or class folders with FER2013's file names."""
    tables = chosen_tables(tree, reading)
    if tables and all(table.label_name().casefold() == "emotion" for table in tables):
        return _from_tables(tree, tables, reading)
    pictures = [file.path.name for file in tree.files if is_picture_name(file.path)]
    named = sum(_FILE.fullmatch(name) is not None for name in pictures)
    if not pictures or named < 0.9 * len(pictures):
        return None
    listing = list_class_folders(tree, reading)
    classes = {entry.class_name for entry in listing.entries}
    return as_format(listing, NAME) if classes <= set(FER2013_CLASSES) else None


def _from_tables(tree: Tree, tables: list[PixelTable], reading: Reading) -> Listing | None:
    labels = {label for table in tables for label in table.labels()}
    if labels and sum(as_number(label) is None for label in labels) > len(labels) / 2:
        words = [label for label in labels if class_name(label) in FER2013_CLASSES]
        if len(words) > len(labels) / 2:
            return list_pixels(tree, tables, reading, order=None)
    if reading.labels.order or reading.renames_numbers:
        return list_pixels(tree, tables, reading, order=None)
    rows = {table.origin: list(table.rows(reading)) for table in tables}
    for table in tables:
        _check_order(
            table.table.file.place, [r for r in rows[table.origin] if isinstance(r, PixelRow)]
        )
    checked = {origin: list(map(_checked, found)) for origin, found in rows.items()}
    listing = list_pixels(tree, tables, reading, order=ORDER, rows=checked)
    return as_format(replace(listing, layout=LAYOUT), NAME)


def _checked(row: PixelRow | Skipped) -> PixelRow | Skipped:
    if isinstance(row, Skipped) or row.found in ORDER:
        return row
    reason = f"emotion must be 0 to 6 (got {(row.found or '')[:20]!r})"
    return Skipped(origin=row.origin, reason=reason)


def _check_order(where: str, rows: list[PixelRow]) -> None:
    counts = Counter(row.found for row in rows)
    foreign = {
        label: n for label, n in counts.items() if (as_number(label or "") or "0") not in ORDER
    }
    if any(n >= 2 and n >= _FOREIGN * len(rows) for n in foreign.values()):
        raise _other_order(where, ", ".join(sorted(filter(None, counts)))[:60])
    whole = len(rows) == sum(_COUNTS)
    if whole and any(counts[str(n)] != count for n, count in enumerate(_COUNTS)):
        raise _other_order(where, "other numbers of pictures per label than FER2013's")


def _other_order(where: str, value: str) -> DataError:
    return DataError(
        "has the columns of FER2013, but not its labels 0 to 6: what they stand for is unknown",
        where=where,
        value=value,
        remedy="Say it with --label-order ferplus (0 neutral, 1 happiness, …, 7 contempt), with "
        "--label-order NAME,NAME,… from 0 on, or with --rename 0=neutral,1=…",
    )


FORMAT = KnownFormat(
    key="fer2013",
    name=NAME,
    order=ORDER,
    where="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
    licence="no licence stated; research use (Kaggle competition rules)",
    layouts="fer2013.csv or icml_face_data.csv, also in archives; split and class folders",
    find=find,
)
