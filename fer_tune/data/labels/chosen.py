"""The tables that ``--labels`` names, and what they label."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from fer_tune.data.files.opening import file_on_disk
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.labels.arrays import list_by_array
from fer_tune.data.labels.columns import find_columns
from fer_tune.data.labels.label_table import list_by_tables, pictures_of
from fer_tune.data.labels.pixels.row_order import list_by_row_order
from fer_tune.data.labels.pixels.source import chosen_tables, list_pixels
from fer_tune.data.labels.pixels.table import PixelTable, as_pixel_table
from fer_tune.data.labels.splits import split_of_name
from fer_tune.data.labels.tables import (
    SUFFIXES,
    TextTable,
    check_box_columns,
    is_table,
    open_table,
)
from fer_tune.data.listing import Listing, Reading, printable
from fer_tune.errors import DataError


def list_by_chosen(
    tree: Tree,
    reading: Reading,
    *,
    order: Mapping[str, str] | None = None,
    dropped: Mapping[str, str] | None = None,
) -> Listing:
    """The pictures of a source with the labels of ``--labels``.

    Raises:
        DataError: no such table, or it does not fit the pictures.
    """
    files = [file for name in reading.labels.files for file in _resolved(name, tree)]
    arrays = [file for file in files if file.path.suffix.casefold() == ".npy"]
    if arrays:
        if len(files) > 1:
            raise _cannot_combine(
                "an array labels all pictures, so it must be the only file", files
            )
        return list_by_array(tree, arrays[0], reading, order=order)
    tables = [open_table(file) for file in files]
    if not pictures_of(tree):
        with_pixels = [as_pixel_table(table, reading) for table in tables]
        own = [table for table in with_pixels if table is not None]
        if own and len(own) == len(tables):
            return list_pixels(tree, own, reading, order=order)
        pixels = chosen_tables(_without(tree, files), reading, labelled=False)
        if pixels:
            return _by_row_order(pixels, tables, reading, order)
    # The tables of known data sets have boxes of faces that are cut out already.
    for table in tables if order is None else ():
        check_box_columns(table, reading.labels.columns)
    return list_by_tables(tree, tables, reading, order=order, dropped=dropped)


def _by_row_order(
    pixels: Sequence[PixelTable],
    tables: Sequence[TextTable],
    reading: Reading,
    order: Mapping[str, str] | None,
) -> Listing:
    """One table of labels for each table of pictures; several of them by the splits they name."""
    pairs = list(zip(pixels, tables, strict=False))
    if len(pixels) > 1 or len(tables) > 1:
        of_split = {split_of_name(table.file.path, reading): table for table in tables}
        splits = [split_of_name(one.table.file.path, reading) for one in pixels]
        whole = len(of_split) == len(tables) == len(pixels) and None not in of_split
        if not whole or set(splits) != set(of_split):
            files = [*(table.file for table in tables), *(one.table.file for one in pixels)]
            raise _cannot_combine(
                "every table of pictures needs one table of labels, and the names of several must "
                "say for which split they are, such as train.csv and train_labels.csv",
                files,
            )
        pairs = [(one, of_split[split]) for one, split in zip(pixels, splits, strict=True)]
    parts = []
    for one, table in pairs:
        columns = find_columns(table, reading, lambda cell: False)
        parts.append(list_by_row_order(one, table, columns, reading, order=order))
    found = parts[0].found
    return replace(
        parts[0],
        items=tuple(item for part in parts for item in part.items),
        found=replace(
            found,
            labels_from=", ".join(part.found.labels_from for part in parts),
            label_files=tuple(name for part in parts for name in part.found.label_files),
            notes=tuple(note for part in parts for note in part.found.notes),
        ),
    )


def _cannot_combine(why: str, files: Sequence[SourceFile]) -> DataError:
    return DataError(
        f"these files cannot be used together: {why}",
        where="--labels",
        value=", ".join(file.origin for file in files)[:200],
        remedy="Import them one at a time, or join them into one table",
    )


def _without(tree: Tree, files: list[SourceFile]) -> Tree:
    paths = {file.path for file in files}
    members = [m for m in tree.members if not (isinstance(m, SourceFile) and m.path in paths)]
    return Tree(name=tree.name, members=tuple(members), ignored=tree.ignored, root=tree.root)


def _resolved(name: str, tree: Tree) -> list[SourceFile]:
    """A file on this machine, or the files of that name inside the source."""
    on_disk = Path(os.path.expanduser(name))
    if on_disk.is_file():
        found = [file_on_disk(on_disk, _inside(on_disk, tree))]
    else:
        wanted = PurePosixPath(name.replace("\\", "/")).parts
        found = [file for file in tree.files if file.path.parts[-len(wanted) :] == wanted]
    if not found:
        tables = [file.origin for file in tree.files if is_table(file.path)]
        raise DataError(
            "there is no such file, here or in the source",
            where="--labels",
            value=name,
            remedy=f"Tables in the source: {', '.join(tables[:5])}" if tables else "",
        )
    for file in found:
        if not is_table(file.path) and file.path.suffix.casefold() != ".npy":
            raise DataError(
                f"must be a table ({', '.join(SUFFIXES)}) or a .npy array",
                where="--labels",
                value=name,
            )
    return found


def _inside(path: Path, tree: Tree) -> PurePosixPath:
    """The path of a file inside the source, or its name where it is elsewhere."""
    if tree.root is not None:
        real, root = Path(os.path.realpath(path)), Path(os.path.realpath(tree.root))
        if real.is_relative_to(root):
            return PurePosixPath(printable(real.relative_to(root).as_posix()))
    return PurePosixPath(printable(path.name))
