"""What one cell of a table says: a count of votes, a fraction, or nothing."""

from __future__ import annotations

import math

from fer_tune.data.listing import as_number


def vote_count(cell: str) -> int | None:
    """Votes in a cell, 0 where there is no value; None if it holds something else."""
    text = present(cell).casefold()
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    number = as_number(text)
    return None if number is None else int(number)


_BOOLEANS = {"": 0, "false": 0, "true": 1, "no": 0, "yes": 1}
#: How libraries write that there is no value; None as Python does, since "none" may be a class.
_ABSENT = frozenset({"nan", "NaN", "NAN", "<NA>", "NA", "N/A", "n/a", "#N/A", "null", "NULL"}) | {
    "None",
    "-",
    "?",
}


def present(cell: str) -> str:
    """A cell without white space; empty where it says that there is no value."""
    text = cell.strip()
    return "" if text in _ABSENT else text


def is_fraction(cell: str) -> bool:
    """Whether it is a number with decimals, also behind a comma."""
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        return False
    return math.isfinite(value) and not value.is_integer()
