"""FERPlus (Barsoum et al. 2016): FER2013's pictures with the votes of ten people."""

from __future__ import annotations

import re

from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.files.tree import Tree
from fer_tune.data.formats.base import KnownFormat, as_format, numbered
from fer_tune.data.labels.class_folders import list_class_folders
from fer_tune.data.labels.columns import Columns
from fer_tune.data.labels.label_table import list_by_tables
from fer_tune.data.labels.pixels.row_order import list_by_row_order
from fer_tune.data.labels.pixels.source import chosen_tables
from fer_tune.data.labels.tables import TextTable, readable_table
from fer_tune.data.listing import Listing, Reading

NAME = "FERPlus"
CLASSES = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
#: Columns of votes, in the order of ``label.csv`` and ``fer2013new.csv``.
VOTES = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "nf"),
)
_SPLITS = {"fer2013train": "train", "fer2013valid": "validation", "fer2013test": "test"}
_FILE = re.compile(r"fer\d{7}\.png", re.IGNORECASE)


def find(tree: Tree, reading: Reading) -> Listing | None:
    """``label.csv`` beside pictures, ``fer2013new.csv`` with ``fer2013.csv``, or class folders."""
    tables = [
        table
        for file in tree.files
        if file.path.name.casefold() in ("label.csv", "fer2013new.csv")
        if (table := readable_table(file)) is not None
    ]
    beside = [table for table in tables if _is_label_csv(table)]
    if beside:
        columns = Columns(file=0, votes={name: n for n, name in enumerate(VOTES, start=2)})
        listing = list_by_tables(
            tree,
            beside,
            reading,
            columns=columns,
            split_of=lambda path: _SPLITS.get(path.parent.name.casefold()),
        )
        return as_format(listing, NAME)
    by_rows = [table for table in tables if table.header and set(VOTES) <= set(table.header)]
    pixels = chosen_tables(tree, reading) if by_rows else []
    if by_rows and pixels:
        columns = new_columns(by_rows[0])
        return as_format(list_by_row_order(pixels[0], by_rows[0], columns, reading), NAME)
    return _from_folders(tree, reading)


def new_columns(table: TextTable) -> Columns:
    """The columns of ``fer2013new.csv``."""
    header = table.header or ()
    split = header.index("usage") if "usage" in header else None
    return Columns(split=split, votes={name: header.index(name) for name in VOTES})


def _is_label_csv(table: TextTable) -> bool:
    rows = table.sample
    return bool(rows) and all(
        len(row) == 2 + len(VOTES) and _FILE.fullmatch(row[0]) is not None for row in rows
    )


def _from_folders(tree: Tree, reading: Reading) -> Listing | None:
    pictures = [file.path.name for file in tree.files if is_picture_name(file.path)]
    named = sum(_FILE.fullmatch(name) is not None for name in pictures)
    if not pictures or named < 0.9 * len(pictures):
        return None
    listing = list_class_folders(tree, reading)
    classes = {entry.class_name for entry in listing.entries}
    return as_format(listing, NAME) if classes and classes <= set(CLASSES) else None


FORMAT = KnownFormat(
    key="ferplus",
    name=NAME,
    order=numbered(*CLASSES),
    where="https://github.com/microsoft/FERPlus",
    licence="labels: MIT; pictures: as FER2013",
    layouts="label.csv per split folder; fer2013new.csv beside fer2013.csv; class folders",
    find=find,
)
