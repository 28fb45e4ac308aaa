"""A table with a picture in every row: FER2013's CSV and its relatives, of any picture size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from fer_tune.data.files.clutter import is_clutter
from fer_tune.data.files.tree import SourceFile, Tree
from fer_tune.data.labels.columns import Columns, find_columns
from fer_tune.data.labels.pixels.rows import RowFile, load_pixels
from fer_tune.data.labels.splits import split_of_name
from fer_tune.data.labels.tables import TextTable, open_table, readable_table
from fer_tune.data.listing import Entry, Reading, Skipped
from fer_tune.data.pixels import Pixels, UnusableError
from fer_tune.errors import DataError

_PIXELS = ("pixels", "pixel", "pixel_values", "image_pixels")
_NUMBERED = re.compile(r"(pixel|px|p)?[ _.]?\d+(x\d+)?")
#: Fewest numbers in a cell that is taken for a picture, in a table without names of columns.
_FEWEST = 16
_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelRow:
    """A row before its label has a name.

    Attributes:
        found: the label; None if the table has none.
        split: canonical, or None.
    """

    origin: str
    found: str | None
    split: str | None
    group: str | None
    load: Callable[[], Pixels]


@dataclass(frozen=True, kw_only=True)
class PixelTable:
    """A table of pictures.

    Attributes:
        table: as text.
        pixels: the columns of values.
        columns: of label, split and group.
        size: the columns of height and width, or None.
        names: of its columns as written; empty without a header.
    """

    table: TextTable
    pixels: tuple[int, ...]
    columns: Columns
    size: tuple[int, int] | None
    names: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Its name inside the source."""
        return self.table.file.origin

    def labels(self) -> set[str]:
        """Labels of its first rows."""
        at = self.columns.label
        return {row[at] for row in self.table.sample if at is not None and at < len(row)}

    def rows(self, reading: Reading) -> Iterator[PixelRow | Skipped]:
        """All rows, in order."""
        file = self.table.file
        rows = RowFile(file, self.table.delimiter)
        by_name = split_of_name(file.path, reading)
        width = len(self.names)
        for number, (line, cells, again) in enumerate(rows.rows()):
            if number == 0 and width:
                continue
            origin = f"{file.origin}:{line}"
            if width and len(cells) != width:
                reason = f"{len(cells)} fields, the header has {width}"
                yield Skipped(origin=origin, reason=reason)
                continue
            try:
                yield self._row(origin, cells, again, by_name, reading)
            except UnusableError as error:
                yield Skipped(origin=origin, reason=str(error))

    def _row(
        self,
        origin: str,
        cells: list[str],
        again: Callable[[], list[str]],
        by_name: str | None,
        reading: Reading,
    ) -> PixelRow:
        def cell(column: int | None) -> str | None:
            return cells[column].strip() if column is not None and column < len(cells) else None

        split, said = by_name, cell(self.columns.split)
        if self.columns.split is not None:
            split = reading.split(said or "")
            if split is None:
                name = self._name(self.columns.split, "split")
                raise UnusableError(f"unknown {name} {(said or '')[:20]!r}")
        size = None
        if self.size is not None:
            height, width = (cell(column) or "" for column in self.size)
            if not (height + width).isdecimal() or len(height + width) > 10 or not height:
                raise UnusableError(
                    f"its size is not two whole numbers: {height[:9]!r} x {width[:9]!r}"
                )
            size = (int(height), int(width or "0"))
        return PixelRow(
            origin=origin,
            found=cell(self.columns.label),
            split=split,
            group=cell(self.columns.group) or None,
            load=partial(load_pixels, again, self.pixels, size),
        )

    def label_name(self) -> str:
        """What its label column is called."""
        return self._name(self.columns.label, "label")

    def _name(self, column: int | None, otherwise: str) -> str:
        if column is None or column >= len(self.names):
            return otherwise
        return self.names[column]


def named(
    table: PixelTable,
    rows: Iterator[PixelRow | Skipped],
    reading: Reading,
    order: Mapping[str, str] | None,
) -> Iterator[Entry | Skipped]:
    """Rows with the names of their classes; numbers by ``order``, whose words are no classes."""
    for row in rows:
        if isinstance(row, Skipped):
            yield row
            continue
        found = row.found or ""
        try:
            if not found:
                raise UnusableError("has no label")
            name = reading.name(found, order)
        except UnusableError as error:
            yield Skipped(origin=row.origin, reason=str(error))
            continue
        yield Entry(
            origin=row.origin,
            found=found,
            class_name=name,
            split=row.split,
            load=row.load,
            group=row.group,
        )


def pixel_tables(tree: Tree, reading: Reading) -> list[PixelTable]:
    """The tables of a source that have pictures in their rows, those without labels included."""
    files = [f for f in tree.files if f.path.suffix.casefold() in _SUFFIXES and _may_be_table(f)]
    # What is wrong with a single file is worth an error; among others it is only not used.
    opening = open_table if len(tree.files) == 1 else readable_table
    tables = [table for file in files if (table := opening(file)) is not None]
    found = (as_pixel_table(table, reading) for table in tables)
    return [table for table in found if table is not None]


def _may_be_table(file: SourceFile) -> bool:
    # Notes are not worth opening; a table with this suffix is named on the command line.
    return not is_clutter(file.path) or file.path.suffix.casefold() != ".txt"


def as_pixel_table(table: TextTable, reading: Reading) -> PixelTable | None:
    """The table as one of pictures; None if its rows have none."""
    pixels = _pixel_columns(table)
    if not pixels:
        return None
    header = table.header or ()
    size = None
    if {"width", "height"} <= set(header):
        size = (header.index("height"), header.index("width"))
    others = {*pixels, *(size or ())}
    columns = find_columns(table, reading, lambda cell: False, others=others)
    return PixelTable(table=table, pixels=pixels, columns=columns, size=size, names=table.names)


def _pixel_columns(table: TextTable) -> tuple[int, ...]:
    if table.header is None:
        cells = table.sample[0] if table.sample else ()
        many = [n for n, cell in enumerate(cells) if _is_numbers(cell)]
        return (many[0],) if len(many) == 1 else ()
    named = [table.header.index(name) for name in _PIXELS if name in table.header]
    if named:
        return (named[0],)
    numbered = [n for n, name in enumerate(table.header) if _NUMBERED.fullmatch(name)]
    return tuple(numbered) if len(numbered) >= _FEWEST else ()


def _is_numbers(cell: str) -> bool:
    words = cell.replace(",", " ").strip("[] ").split()
    return len(words) >= _FEWEST and all(word.isascii() and word.isdigit() for word in words[:-1])


def no_columns(where: str, missing: list[str], found: str) -> DataError:
    """The error for a CSV that lacks columns of FER2013's."""
    return DataError(
        f"the CSV has no column {' and no column '.join(missing)}",
        where=where,
        value=found[:100] or "no columns",
        remedy="FER2013 has the columns emotion, pixels, Usage, separated by commas; other names "
        "need --columns label=NAME. For labels of picture files import their folder with --labels",
    )
