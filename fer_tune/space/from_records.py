"""Search spaces read from the records of a search, which anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_tune.errors import Fault, SpaceError
from fer_tune.schema import shown
from fer_tune.schema.faults import SHOWN_RULE, key_of
from fer_tune.schema.json_text import check_tree
from fer_tune.schema.limits import SPACE_VALUES
from fer_tune.space.model import SearchSpace

#: Faults of one search space that are named.
_SHOWN = 5
#: What a search did before there were these keys.
_EARLIER = {"audit": {"share": 0.0}, "sampler": "tpe"}


def recorded_space(values: Mapping[str, Any], *, where: str, later: bool = False) -> SearchSpace:
    """The search space of a manifest or a log of events, checked like a file's.

    A search that began before the audit was introduced has none; one that began before there was
    a choice of samplers has TPE.

    Args:
        where: the file that holds it, for the error.
        later: ignores top-level keys that this version does not have.

    Raises:
        SpaceError: with the first faults, shortened.
    """
    found = check_tree(values)
    if found > SPACE_VALUES:
        rule = f"must have at most {SPACE_VALUES} values"
        raise SpaceError(where, [Fault(key="space", rule=rule, value=found)])
    if later:
        values = {key: value for key, value in values.items() if key in SearchSpace.model_fields}
    try:
        return SearchSpace.from_dict({**_EARLIER, **values}, where=where)
    except SpaceError as error:
        raise SpaceError(where, [_short(fault) for fault in error.faults[:_SHOWN]]) from None


def _short(fault: Fault) -> Fault:
    """The error, shortened: names and values may be as long as the file."""
    return Fault(
        key=key_of((fault.key,)),
        rule=fault.rule[:SHOWN_RULE],
        value=None if fault.value is None else shown(fault.value),
        remedy=fault.remedy[:SHOWN_RULE],
    )
