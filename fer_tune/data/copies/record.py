"""Groups of near copies as JSON, as the description of a packed dataset holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.copies.groups import NEAR_VERSION, connected, first_members

Ints = NDArray[np.int64]


def related_record(related: Ints, groups: Ints) -> dict[str, Any]:
    """``version`` of the search and ``groups``: per line the first positions of each content.

    Args:
        related: int64 (n,), of :func:`fer_tune.data.copies.related_groups`.
        groups: int64 (n,), a number per content.
    """
    distinct = np.unique(first_members(groups))
    members = distinct[np.argsort(related[distinct], kind="stable")]
    starts = np.flatnonzero(np.diff(related[members], prepend=-1))
    parts = np.split(members, starts[1:])
    lines = [" ".join(map(str, part)) for part in parts if len(part) > 1]
    return {"version": NEAR_VERSION, "groups": lines}


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
