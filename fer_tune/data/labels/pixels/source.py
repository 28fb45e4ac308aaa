"""The listing of a source whose pictures are in tables: which of its tables, and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fer_tune.data.files.tree import Tree
from fer_tune.data.labels.columns import guess_note
from fer_tune.data.labels.pixels.table import PixelRow, PixelTable, named, no_columns, pixel_tables
from fer_tune.data.labels.splits import split_of_name
from fer_tune.data.labels.tables import open_table
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped
from fer_tune.errors import DataError

LAYOUT = "Every row must have a label and the pixels of a picture"


def chosen_tables(tree: Tree, reading: Reading, *, labelled: bool = True) -> list[PixelTable]:
    """The tables of pictures that are imported: one that names splits, else one for each split.

    Competitions hand out the same pictures several times: all in ``fer2013.csv``, and again in
    ``icml_face_data.csv``, ``train.csv`` and, without labels, ``test.csv``.

    Args:
        labelled: without labels of its own, a table is none of them; otherwise it is one where no
            table has labels.

    Raises:
        DataError: there are several, and nothing says which to use.
    """
    every = pixel_tables(tree, reading)
    tables = [table for table in every if table.columns.label is not None]
    if not labelled:
        tables = tables or every
    whole = [table for table in tables if table.columns.split is not None]
    if whole:
        return sorted(whole, key=_preference)[:1]
    splits = [split_of_name(table.table.file.path, reading) for table in tables]
    if len(tables) > 1 and (None in splits or len(set(splits)) < len(splits)):
        names = ", ".join(table.origin for table in tables)
        raise DataError(
            "holds several tables of pictures, and neither their columns nor their names say for "
            "which split they are",
            where=tree.name,
            value=names[:200],
            remedy="Import one of them by its path, or name them train.csv, test.csv",
        )
    return tables


def _preference(table: PixelTable) -> tuple[bool, int, str]:
    path = table.table.file.path
    return path.stem.casefold() != "fer2013", len(path.parts), str(path)


def list_pixels(
    tree: Tree,
    tables: Sequence[PixelTable],
    reading: Reading,
    *,
    order: Mapping[str, str] | None,
    rows: Mapping[str, Sequence[PixelRow | Skipped]] | None = None,
) -> Listing:
    """The pictures of tables.

    Args:
        order: names of labels by number.
        rows: of each table by its name, if they are known already.
    """
    items: list[Entry | Skipped] = []
    for table in tables:
        found = rows[table.origin] if rows else table.rows(reading)
        items += named(table, iter(found), reading, order)
    used = tuple(table.origin for table in tables)
    guesses = [guess_note(one.table, one.columns) for one in tables]
    names = ", ".join(sorted({table.label_name() for table in tables}))
    return Listing(
        items=tuple(items),
        found=Found(
            labels_from=f"the column {names} of {', '.join(used)}",
            label_files=used,
            guessed=any(table.columns.guessed for table in tables),
            named=reading.names_classes,
            notes=tuple(guess for guess in guesses if guess is not None),
        ),
        layout=LAYOUT,
    )


def list_pixel_source(tree: Tree, reading: Reading) -> Listing | None:
    """The pictures in a source's tables; None if there are none.

    Raises:
        DataError: the source is a single CSV without pictures or without labels.
    """
    tables = chosen_tables(tree, reading)
    if tables:
        return list_pixels(tree, tables, reading, order=None)
    files = tree.files
    if len(files) == 1 and files[0].path.suffix.casefold() in (".csv", ".tsv", ".txt"):
        table = open_table(files[0])
        header = table.header or ()
        missing = [name for name in ("emotion", "pixels") if name not in header]
        raise no_columns(tree.name, missing, table.columns if table.width else "")
    return None
