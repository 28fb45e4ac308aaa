"""Groups of near copies as JSON, as the description of a packed dataset holds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.groups import (
    NEAR_VERSION,
    are_searched,
    connected,
    first_members,
    related_groups,
)
from fer_tune.data.pixels import Pixels
from fer_tune.schema import InvalidJson, TooLarge, parse_json, read_at_most
from fer_tune.schema.limits import DESCRIPTION_BYTES
from fer_tune.storage import write_atomically

Ints = NDArray[np.int64]

#: The record of a dataset whose description lacks it, found later; beside the other files.
FILE = "near_copies.json"


def related_record(related: Ints, groups: Ints) -> dict[str, Any]:
    """``version`` of the search and ``groups``: per line the first positions of each content.

    With ``searched`` false if there are too many contents for a search.

    Args:
        related: int64 (n,), of :func:`fer_tune.data.copies.related_groups`.
        groups: int64 (n,), a number per content.
    """
    distinct = np.unique(first_members(groups))
    members = distinct[np.argsort(related[distinct], kind="stable")]
    starts = np.flatnonzero(np.diff(related[members], prepend=-1))
    parts = np.split(members, starts[1:])
    lines = [" ".join(map(str, part)) for part in parts if len(part) > 1]
    record = {"version": NEAR_VERSION, "groups": lines}
    return record if are_searched(groups) else {**record, "searched": False}


def was_searched(record: object, groups: Ints) -> bool:
    """Whether near copies were searched for, by the record of a dataset.

    Args:
        record: as of :func:`related_record`; anything else if the dataset has none.
        groups: int64 (n,), a number per content.
    """
    if related_in(record, groups) is None:
        return are_searched(groups)
    assert isinstance(record, dict)
    return record.get("searched") is not False


def related_in(record: object, groups: Ints) -> Ints | None:
    """The groups that a record describes; None if it is absent, of another version or invalid."""
    if not isinstance(record, dict) or record.get("version") != NEAR_VERSION:
        return None
    lines = record.get("groups")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return None
    try:
        parts = [[int(place) for place in line.split()] for line in lines]
    except ValueError:
        return None
    places = [place for part in parts for place in part]
    first = first_members(groups)
    if len(set(places)) < len(places) or any(
        not 0 <= place < len(first) or first[place] != place for place in places
    ):
        return None
    joined = connected(len(first), ((part[0], other) for part in parts for other in part[1:]))
    return joined[first]


def kept_or_found(root: Path, groups: Ints, picture: Callable[[int], Pixels]) -> Ints:
    """The groups of a dataset at ``root`` that has no record: as kept there, else found and kept.

    Args:
        groups: int64 (n,), a number per content.
        picture: gives the pixels at a position.
    """
    with suppress(OSError, TooLarge, InvalidJson):  # absent or damaged: it is made again
        record = parse_json(read_at_most(root / FILE, DESCRIPTION_BYTES))
        if (kept := related_in(record, groups)) is not None:
            return kept
    found = related_groups(groups, picture)
    text = json.dumps(related_record(found, groups), indent=2)
    with suppress(OSError):  # a dataset may be read-only
        write_atomically(root / FILE, f"{text}\n")
    return found
