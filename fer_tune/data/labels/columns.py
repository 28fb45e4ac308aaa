"""Which column of a table holds file names, labels, splits, groups or votes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fer_tune.data.labels.tables import TextTable
from fer_tune.data.labels.tables.cells import is_fraction, vote_count
from fer_tune.data.listing import Reading, as_number
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
#: Columns that say something else of a picture, and are a label only by --columns.
_OTHERS = frozenset(
    {"age", "ages", "gender", "sex", "race", "ethnicity", "origin", "nationality", "camera", "pose"}
    | {"view", "angle", "date", "time", "timestamp", "year", "session", "hospital", "site", "index"}
    | {"width", "height", "size", "url", "source", "licence", "license", "frame", "hash", "md5"}
)
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
#: Columns that a note names.
_NAMED = 10
#: Characters of a cell or a column's name that a message shows.
_SHOWN = 80


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Positions of columns, counted from 0.

    Attributes:
        file, label, split, group: None where there is none.
        votes: positions by class as found, where a row counts votes instead of naming a label.
        guessed: neither the name of the label's column nor an option says that it is one.
    """

    file: int | None = None
    label: int | None = None
    split: int | None = None
    group: int | None = None
    votes: Mapping[str, int] | None = None
    guessed: bool = False


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
        DataError: a column that ``--columns`` names does not exist, several may be the label, or
            the label's column holds scores.
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
    votes = None if "label" in given else _votes(table, used) or _one_hot(table, used)
    label = given.get("label")
    guessed = votes is not None and not any(class_name(name) in EXPRESSIONS for name in votes)
    if label is None and votes is None:
        _check_scores(table, used)
        label = _named_label(table, used)
        if label is None:
            label, guessed = _likely_label(table, used), table.header is not None
    if label is not None:
        _check_whole(table, label)
        _check_single(table, label)
    return Columns(file=file, label=label, split=split, group=group, votes=votes, guessed=guessed)


def guess_note(table: TextTable, columns: Columns) -> str | None:
    """A note that names the columns of labels; None unless they are a guess."""
    if not columns.guessed:
        return None
    found = [columns.label] if columns.label is not None else [*(columns.votes or {}).values()]
    header = table.header or ()
    names = [header[c] if c < len(header) else str(c + 1) for c in found]
    shown = ", ".join(name[:_SHOWN] for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    word = "column" if len(names) == 1 else "columns"
    return (
        f"the {word} {shown}{more} of {table.file.origin} may be something else than labels; if "
        "so, add --columns label=NAME"
    )


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
    named = {
        name: column
        for name, column in _columns_of_classes(table, used).items()
        if all(vote_count(cell) is not None for cell in _cells(table, column))
    }
    classes = [name for name in named if name not in NO_CLASS]
    return named if len(classes) >= 3 else None


def _columns_of_classes(table: TextTable, used: set[int | None]) -> dict[str, int]:
    """Columns named by expressions, and by what is no class, by name."""
    return {
        name: column
        for column, name in enumerate(table.header or ())
        if column not in used and (class_name(name) in EXPRESSIONS or name in NO_CLASS)
    }


def _one_hot(table: TextTable, used: set[int | None]) -> dict[str, int] | None:
    """Columns of zeros and ones with a single one in every row, named by classes of any kind."""
    if table.header is None or _named_label(table, used) is not None or len(table.sample) < 2:
        return None
    ones = {
        name: column
        for column, name in enumerate(table.header)
        if column not in used
        and name
        and (cells := _cells(table, column))
        and all(vote_count(cell) in (0, 1) for cell in cells)
    }
    named = any(class_name(name) in EXPRESSIONS for name in ones)
    if not named and _has_other_label(table, {*used, *ones.values()}):
        return None
    rows = ([vote_count(row[c]) for c in ones.values() if c < len(row)] for row in table.sample)
    single = all(sum(value or 0 for value in row) == 1 for row in rows)
    return ones if len(ones) > 1 and single else None


def _has_other_label(table: TextTable, used: set[int | None]) -> bool:
    """Whether a further column may be the label, so that flags say something else."""
    header = table.header or ()
    for column, name in enumerate(header):
        if column in used or not name or name in _OTHERS:
            continue
        cells = _cells(table, column)
        counts_rows = len(set(cells)) == len(cells) and None not in map(as_number, cells)
        fractions = 2 * sum(map(is_fraction, cells)) > len(cells)
        if 1 < len(set(cells)) <= _MOST_CLASSES and not counts_rows and not fractions:
            return True
    return False


def _check_scores(table: TextTable, used: set[int | None]) -> None:
    """Stops at columns of classes with fractions in them, where no column has a label."""
    scored = [
        name
        for name, column in _columns_of_classes(table, used).items()
        if any(is_fraction(cell) for cell in _cells(table, column))
    ]
    if len(scored) > 1 and _named_label(table, used) is None:
        raise DataError(
            "columns hold scores or probabilities of classes; one label per picture, or whole "
            "numbers of votes, are needed",
            where=table.file.place,
            value=", ".join(scored),
            remedy="Add a column with the class of each row, and name it with --columns label=NAME",
        )


def _check_whole(table: TextTable, column: int) -> None:
    cells = _cells(table, column)
    fractions = [cell for cell in cells if is_fraction(cell)]
    if 2 * len(fractions) > len(cells):
        name = table.header[column] if table.header else str(column + 1)
        raise DataError(
            f"the column {name[:_SHOWN]} holds values that are not whole numbers, as scores, "
            "valence and arousal are",
            where=table.file.place,
            value=", ".join(cell[:_SHOWN] for cell in fractions[:3]),
            remedy="Choose the column of labels with --columns label=NAME (or its number, from 1)",
        )


def _check_single(table: TextTable, column: int) -> None:
    compound = [cell for cell in _cells(table, column) if is_compound(table, cell)]
    if compound:
        name = table.header[column] if table.header else str(column + 1)
        raise DataError(
            f"the column {name[:_SHOWN]} holds lists or objects instead of one label per picture",
            where=table.file.place,
            value=compound[0][:_SHOWN],
            remedy="Write the labels themselves into a column, or choose another one with "
            "--columns label=NAME",
        )


def is_compound(table: TextTable, cell: str) -> bool:
    """Whether a cell was a list or an object, as JSON and Parquet may have."""
    return not table.delimiter and cell[:1] in ("[", "{")


def _named_label(table: TextTable, used: set[int | None]) -> int | None:
    """The column that is named like a label; of several, the one with words for expressions."""
    header = [name.replace(" ", "_") for name in table.header or ()]
    found = [
        column
        for name in _LABEL
        for column, called in enumerate(header)
        if called == name and column not in used
    ]
    known = [column for column in found if _holds_expressions(table, column)]
    return next(iter(known or found), None)


def _holds_expressions(table: TextTable, column: int) -> bool:
    cells = _cells(table, column)
    return sum(class_name(cell) in EXPRESSIONS for cell in cells) > len(cells) / 2


def _likely_label(table: TextTable, used: set[int | None]) -> int | None:
    header = table.header or ()
    free = [
        column
        for column in range(table.width)
        if column not in used and (column >= len(header) or header[column] not in _OTHERS)
    ]
    if len(free) <= 1:
        return free[0] if free else None
    known = [column for column in free if _holds_expressions(table, column)]
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
