"""The list of pictures that a review leaves out of an import."""

from __future__ import annotations

import re
from pathlib import Path

from fer_tune.errors import DataError, reporting
from fer_tune.schema import TooLarge, read_at_most
from fer_tune.schema.faults import shown
from fer_tune.schema.limits import MIB

_MOST = 256 * MIB
_HASH = re.compile("[0-9a-f]{64}")
_REMEDY = (
    "A line begins with the picture's content hash, as in a list that a page of "
    "`fer-tune data review` saves; what follows a comma is ignored, and so is a line with '#'"
)


def read_list(path: Path) -> frozenset[str]:
    """The content hashes in a list: one at the beginning of each line, before a comma.

    Raises:
        DataError: it cannot be read, names no picture, or a line is no content hash.
    """
    with reporting("cannot be read", path, "Check the path given as --exclude", DataError):
        try:
            content = read_at_most(path.resolve(), _MOST)
        except TooLarge as error:
            raise DataError(f"is {error}", where=str(path), remedy=_REMEDY) from None
    found = set()
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        first = line.split(",", 1)[0].strip()
        if not first or first.startswith("#") or first == "picture":
            continue
        if not _HASH.fullmatch(first):
            raise DataError(
                "is not a content hash",
                where=f"{path}, line {number}",
                value=shown(first),
                remedy=_REMEDY,
            )
        found.add(first)
    if not found:
        raise DataError("lists no picture", where=str(path), remedy=_REMEDY)
    return frozenset(found)
