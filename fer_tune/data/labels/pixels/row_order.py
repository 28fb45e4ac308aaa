"""Labels and pictures in two tables whose rows are in the same order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from fer_tune.data.labels.columns import Columns, guess_note
from fer_tune.data.labels.label_table import labels_of, left_out_note
from fer_tune.data.labels.pixels.table import PixelRow, PixelTable
from fer_tune.data.labels.tables import TextTable
from fer_tune.data.listing import Entry, Found, Listing, Reading, Skipped
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

LAYOUT = "Row n of the labels must belong to row n of the pictures"


def list_by_row_order(
    pixels: PixelTable,
    table: TextTable,
    columns: Columns,
    reading: Reading,
    *,
    order: Mapping[str, str] | None = None,
) -> Listing:
    """The pictures of one table with the labels of another, row by row.

    Raises:
        DataError: the tables differ in length, or in the split of a row.
    """
    rows = list(pixels.rows(reading))
    labels = list(labels_of(table, columns, reading))
    if len(rows) != len(labels):
        raise DataError(
            f"has {len(labels):,} rows, {pixels.origin} has {len(rows):,}: they cannot be joined",
            where=table.file.place,
            remedy="Use the file of labels that belongs to these pictures",
        )
    items: list[Entry | Skipped] = []
    left_out: Counter[str] = Counter()
    for row, label in zip(rows, labels, strict=True):
        if isinstance(row, Skipped):
            items.append(row)
            continue
        split = reading.split(label.split) if label.split else None
        if None not in (split, row.split) and split != row.split:
            raise DataError(
                f"its row is for {split}, {row.origin} is for {row.split}: the rows are not in the "
                "same order",
                where=f"{table.file.place}:{label.line}",
                remedy="Use the file of labels that belongs to these pictures",
            )
        if label.fault:
            items.append(Skipped(origin=row.origin, reason=label.fault))
            continue
        if label.found is None:
            left_out[label.reason] += 1
            continue
        items.append(_entry(replace(row, split=row.split or split), label.found, reading, order))
    guess = guess_note(table, columns)
    notes = [guess] if guess is not None else []
    notes += [f"{table.file.origin} was joined to {pixels.origin} by the order of rows"]
    notes += [left_out_note(count, reason) for reason, count in left_out.most_common()]
    return Listing(
        items=tuple(items),
        found=Found(
            labels_from=table.file.origin,
            label_files=(table.file.origin, pixels.origin),
            guessed=guess is not None,
            named=reading.names_classes,
            notes=tuple(notes),
        ),
        layout=LAYOUT,
    )


def _entry(
    row: PixelRow, found: str, reading: Reading, order: Mapping[str, str] | None
) -> Entry | Skipped:
    try:
        name = reading.name(found, order)
    except UnusableError as error:
        return Skipped(origin=row.origin, reason=str(error))
    return Entry(
        origin=row.origin,
        found=found,
        class_name=name,
        split=row.split,
        load=row.load,
        group=row.group,
    )
