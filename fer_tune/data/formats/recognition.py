"""How a source is understood: as options say, as a known data set, else by what it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from fer_tune.data.checks.split_names import usual_split
from fer_tune.data.files.clutter import is_clutter
from fer_tune.data.files.names import encoding_note
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.formats.base import KnownFormat, as_format
from fer_tune.data.formats.registry import FORMATS, known_format
from fer_tune.data.labels.chosen import list_by_chosen
from fer_tune.data.labels.class_folders import list_class_folders
from fer_tune.data.labels.columns import find_columns
from fer_tune.data.labels.hugging_face import list_parquet
from fer_tune.data.labels.label_table import list_by_tables, pictures_of
from fer_tune.data.labels.matching import Ambiguous, Pictures
from fer_tune.data.labels.ordered_folders import with_order
from fer_tune.data.labels.pattern import list_by_pattern
from fer_tune.data.labels.pixels.source import list_pixel_source
from fer_tune.data.labels.sidecars import check_boxes, list_sidecars
from fer_tune.data.labels.tables import TextTable, check_box_columns, is_table, open_table
from fer_tune.data.listing import Entry, Listing, Reading
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

_TABLES = (".csv", ".tsv", ".tab", ".lst", ".jsonl", ".parquet")
_LABEL_WORDS = ("label", "emotion", "expression", "annot", "class")
#: Files that may hold labels, in forms that are read or not.
_DOCUMENTS = (
    *(".txt", ".json", ".xml", ".yaml", ".yml", ".npy", ".npz", ".pkl", ".pickle", ".mat"),
    *(".h5", ".hdf5", ".sqlite"),
)
_WORKBOOKS = (".xlsx", ".xls", ".ods", ".numbers")
#: Tables that are opened to see whether they label the pictures.
_MOST_TABLES = 40


def list_tree(tree: Tree, reading: Reading) -> Listing:
    """What a source holds.

    Raises:
        DataError: options that do not fit it, or a table that cannot be understood.
    """
    try:
        listing = _by_options(tree, reading) or _by_itself(tree, reading)
    except UnusableError as error:
        # A table that turns out to be damaged while its rows are read.
        raise DataError(f"cannot be read: {error}", where=tree.name) from None
    note = encoding_note(
        (file.encoding for file in tree.files), chosen=reading.encoding is not None
    )
    return _with_unused(tree, listing if note is None else listing.noting(note))


def _by_options(tree: Tree, reading: Reading) -> Listing | None:
    labels = reading.labels
    known = known_format(labels.format) if labels.format else None
    if labels.files and labels.pattern:
        raise DataError("--labels and --class-from cannot be combined", remedy="Use one of them")
    if labels.files:
        order, dropped = (known.order, known.dropped) if known else (None, None)
        listing = list_by_chosen(tree, reading, order=order, dropped=dropped)
        return as_format(listing, known.name) if known else listing
    if labels.pattern:
        listing = list_by_pattern(tree, reading)
        return _forced(listing, reading, known) if known else listing
    if known is None:
        return None
    if (found := known.find(tree, reading)) is not None:
        return found
    return _forced(_by_content(tree, reading), reading, known)


def _forced(listing: Listing, reading: Reading, known: KnownFormat) -> Listing:
    """The listing as that of a data set that was not recognised."""
    named = with_order(listing, reading, known.order)
    classes = {entry.class_name for entry in named.entries}
    allowed = {reading.name(name) for name in known.order.values()}
    if not classes or not classes <= allowed:
        foreign = classes - allowed or {entry.found for entry in listing.entries}
        raise DataError(
            f"is not {known.name} as it is known: {known.layouts}",
            where=f"--format {known.key}",
            value=", ".join(sorted(foreign))[:200] or "no pictures",
            remedy="Omit --format, or say where the classes are with --labels or --class-from",
        )
    return as_format(named, known.name)


def _by_itself(tree: Tree, reading: Reading) -> Listing:
    for known in FORMATS:
        if (listing := known.find(tree, reading)) is not None:
            return listing
    return _by_content(tree, reading)


def _by_content(tree: Tree, reading: Reading) -> Listing:
    for kind in (list_parquet, list_pixel_source, list_sidecars):
        if (listing := kind(tree, reading)) is not None:
            return listing
    folders = list_class_folders(tree, reading)
    # Folders that name expressions need nothing else.
    known = sum(entry.class_name in reading.known for entry in folders.entries)
    pictures = pictures_of(tree)
    if not pictures or known > len(pictures) / 2:
        return folders
    if (listing := _by_tables_inside(tree, reading, folders, pictures)) is not None:
        return listing
    check_boxes(tree)
    return folders


def _by_tables_inside(
    tree: Tree, reading: Reading, folders: Listing, pictures: list[SourceFile]
) -> Listing | None:
    """By tables that name most pictures."""
    tables = _naming(tree, pictures, reading)
    if not tables:
        return None
    listing = list_by_tables(tree, tables, reading)
    entries = {entry.origin: entry for entry in listing.entries}
    if len(entries) < len(pictures) / 2 or len({e.class_name for e in entries.values()}) < 2:
        return None
    # Folders and table that agree: nothing needs to be chosen.
    same = (
        entry.origin in entries and _agree(entry, entries[entry.origin])
        for entry in folders.entries
    )
    if folders.entries and all(same):
        return None
    for table in tables:
        check_box_columns(table, reading.labels.columns)
    return listing


def _agree(one: Entry, other: Entry) -> bool:
    return one.class_name == other.class_name


def _naming(tree: Tree, pictures: Sequence[SourceFile], reading: Reading) -> list[TextTable]:
    """Tables of the source that name its pictures and have labels."""
    named = Pictures(pictures, reading)
    found = []
    for file in [file for file in label_files(tree) if is_table(file.path)][:_MOST_TABLES]:
        try:
            table = open_table(file)

            def is_file(cell: str, table: TextTable = table) -> bool:
                try:
                    return named.named(cell, table.file.path.parent) is not None
                except Ambiguous:
                    return True

            columns = find_columns(table, reading, is_file)
            if columns.file is None or (columns.label is None and columns.votes is None):
                continue
            rows = [row for row in table.sample if columns.file < len(row)]
            hits = sum(is_file(row[columns.file]) for row in rows)
        except (DataError, ValueError):
            continue  # named as unused; --labels says what is wrong with it
        if rows and hits > len(rows) / 2:
            found.append(table)
    return found


def label_files(tree: Tree) -> list[SourceFile]:
    """Files of a source that are named like tables of labels."""
    return [file for file in tree.files if _looks_like_labels(file)]


def _looks_like_labels(file: SourceFile) -> bool:
    suffix, name = file.path.suffix.casefold(), file.path.name.casefold()
    if any(part.startswith((".", "__MACOSX")) for part in file.path.parts):
        return False
    if suffix in _DOCUMENTS:
        # A list of a split's files, too: train.txt.
        named = any(word in name for word in _LABEL_WORDS) or _of_split(file.path.stem)
        return named and not name.endswith(("_emotion.txt", "_exp.npy"))
    if suffix in _WORKBOOKS:
        return not name.startswith("~$")
    return suffix in _TABLES and not is_clutter(file.path)


def _of_split(stem: str) -> bool:
    words = (stem, *re.split(r"[\W_\d]+", stem))
    return any(usual_split(word) is not None for word in words if word)


def _with_unused(tree: Tree, listing: Listing) -> Listing:
    """Names the tables that were not read; they are neither pictures nor faults."""
    unused = [f.origin for f in label_files(tree) if f.origin not in listing.found.label_files]
    if not unused:
        return listing
    items = tuple(item for item in listing.items if item.origin not in unused)
    found = replace(listing.found, unused_label_files=tuple(unused))
    ignored = listing.ignored + len(listing.items) - len(items)
    return replace(listing, items=items, found=found, ignored=ignored)
