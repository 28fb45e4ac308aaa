"""The tables that ``--labels`` names, and what they label."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fer_tune.data.files.opening import file_on_disk
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.labels.arrays import list_by_array
from fer_tune.data.labels.columns import find_columns
from fer_tune.data.labels.label_table import list_by_tables, pictures_of
from fer_tune.data.labels.pixels.row_order import list_by_row_order
from fer_tune.data.labels.pixels.source import chosen_tables
from fer_tune.data.labels.tables import SUFFIXES, is_table, open_table
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
        return list_by_array(tree, arrays[0], reading, order=order)
    tables = [open_table(file) for file in files]
    if not pictures_of(tree):
        pixels = chosen_tables(_without(tree, files), reading)
        if pixels:
            columns = find_columns(tables[0], reading, lambda cell: False)
            return list_by_row_order(pixels[0], tables[0], columns, reading, order=order)
    return list_by_tables(tree, tables, reading, order=order, dropped=dropped)


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
