"""Which column of a table holds file names, labels, splits, groups or votes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fer_tune.data.labels.tables import TextTable
from fer_tune.data.listing import Reading
from fer_tune.data.names import EXPRESSIONS, class_name
from fer_tune.errors import DataError

#: Names of columns, the likeliest first.
_FILE = (
    "file",
    "filename",
    "file_name",
    "image",
    "image_name",
    "path",
    "image_path",
    "pth",
    "img",
    "name",
    "id",
)
_LABEL = (
    *("label", "labels", "emotion", "expression", "class", "category", "target", "sentiment", "y"),
    *("label_name", "class_name", "emotion_label", "emotions", "facial_expression"),
)
_SPLIT = ("split", "usage", "partition", "dataset_split")
#: The same if they hold names of splits: a set may also be a series, and a fold a number.
_MAYBE_SPLIT = ("set", "subset", "fold", "phase")
_GROUP = ("group", "subject", "subject_id", "person", "person_id", "identity", "user.id", "user_id")
#: Columns of votes that are no class.
NO_CLASS = {
    "unknown": "unknown",
    "nf": "not a face",
    "not a face": "not a face",
    "no face": "not a face",
    "noface": "not a face",
    "non-face": "not a face",
}
ROLES = ("file", "label", "split", "group")
_MOST_CLASSES = 60


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Positions of columns, counted from 0.

    Attributes:
        file, label, split, group: None where there is none.
        votes: positions by class as found, where a row counts votes instead of naming a label.
    """

    file: int | None = None
    label: int | None = None
    split: int | None = None
    group: int | None = None
    votes: Mapping[str, int] | None = None


def find_columns(
    table: TextTable,
    reading: Reading,
    is_file: Callable[[str], bool],
    *,
    others: Collection[int] = (),
) -> Columns:
    """Recognises the columns of a table; ``--columns`` comes first.

    Args:
        is_file: whether a cell names a picture of the source.
        others: columns that hold something else.

    Raises:
        DataError: a column that ``--columns`` names does not exist, or several may be the label.
    """
    given = {role: _named(table, role, name) for role, name in reading.labels.columns.items()}
    used: set[int | None] = {*given.values(), *others}
    file = given.get("file")
    if file is None:
        file = _file_column(table, used, is_file)
    used |= {file}
    split = given.get("split")
    if split is None:
        split = _by_name(table, _SPLIT, used)
    if split is None:
        split = _by_values(table, used, lambda cell: reading.split(cell) is not None)
    if split is None:
        maybe = _by_name(table, _MAYBE_SPLIT, used)
        if maybe is not None and any(map(reading.split, _cells(table, maybe))):
            split = maybe
    used |= {split}
    group = given.get("group")
    if group is None:
        group = _by_name(table, _GROUP, used)
    used |= {group}
    votes = None if "label" in given else _votes(table, used)
    label = given.get("label")
    if label is None and votes is None:
        label = _label_column(table, used)
    return Columns(file=file, label=label, split=split, group=group, votes=votes)


def _named(table: TextTable, role: str, name: str) -> int:
    if role not in ROLES:
        raise DataError(
            f"knows {', '.join(ROLES)}",
            where="--columns",
            value=role,
            remedy="For example --columns file=image,label=emotion",
        )
    wanted = name.strip().casefold()
    if table.header is not None and wanted in table.header:
        return table.header.index(wanted)
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:6]) <= table.width:
        return int(wanted) - 1
    raise DataError(
        f"{table.file.origin} has no column for {role}",
        where="--columns",
        value=name,
        remedy=f"Its columns: {table.columns}. Use a name, or a number from 1 to {table.width}",
    )


def _file_column(
    table: TextTable, used: set[int | None], is_file: Callable[[str], bool]
) -> int | None:
    """The column whose cells name the most pictures."""
    free = [column for column in range(table.width) if column not in used]
    hits = {c: sum(is_file(cell) for cell in _cells(table, c)) for c in free}
    by_name = _by_name(table, _FILE, used)
    # Labels may be the names of pictures, too: those of 0.jpg, 1.jpg, ...
    if by_name is not None and 2 * hits.get(by_name, 0) > len(_cells(table, by_name)):
        return by_name
    best = max(hits.values(), default=0)
    if best == 0:
        return by_name
    likely = [column for column in free if hits[column] == best]
    return by_name if by_name in likely else likely[0]


def _by_name(table: TextTable, names: tuple[str, ...], used: set[int | None]) -> int | None:
    if table.header is None:
        return None
    header = [name.replace(" ", "_") for name in table.header]
    found = [header.index(name) for name in names if name in header]
    return next((column for column in found if column not in used), None)


def _by_values(table: TextTable, used: set[int | None], fits: Callable[[str], bool]) -> int | None:
    free = [column for column in range(table.width) if column not in used]
    for column in free:
        cells = _cells(table, column)
        if cells and all(map(fits, cells)):
            return column
    return None


def _votes(table: TextTable, used: set[int | None]) -> dict[str, int] | None:
    """Columns named by classes, with whole numbers in them."""
    if table.header is None:
        return None
    named = {
        name: column
        for column, name in enumerate(table.header)
        if column not in used
        and (class_name(name) in EXPRESSIONS or name in NO_CLASS)
        and all(cell.isascii() and cell.isdigit() for cell in _cells(table, column) if cell)
    }
    classes = [name for name in named if name not in NO_CLASS]
    return named if len(classes) >= 3 else None


def _label_column(table: TextTable, used: set[int | None]) -> int | None:
    if (by_name := _by_name(table, _LABEL, used)) is not None:
        return by_name
    free = [column for column in range(table.width) if column not in used]
    if len(free) <= 1:
        return free[0] if free else None
    known = [
        column
        for column in free
        if (cells := _cells(table, column))
        and sum(class_name(cell) in EXPRESSIONS for cell in cells) > len(cells) / 2
    ]
    if len(known) == 1:
        return known[0]
    few = [column for column in free if 1 < len(set(_cells(table, column))) <= _MOST_CLASSES]
    if len(few) == 1 and len(table.sample) > 2:
        return few[0]
    raise DataError(
        "several columns may be the label",
        where=table.file.place,
        value=table.columns,
        remedy="Choose with --columns label=NAME (or its number, from 1)",
    )


def _cells(table: TextTable, column: int) -> list[str]:
    return [row[column] for row in table.sample if column < len(row) and row[column]]
