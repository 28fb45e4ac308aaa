"""What `plan --json` and `simulate --json` printed, for `search --plan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fer_tune.errors import UserError, reading
from fer_tune.schema import InvalidJson, TooLarge, first_error, parse_json, read_at_most
from fer_tune.schema.limits import MIB
from fer_tune.schema.manifest import Prediction
from fer_tune.storage import AnyPath

_BYTES = 16 * MIB
_FIGURES = ("runs", "epochs", "hours", "accelerator_hours", "price", "best")
_REMEDY = "Write it with fer-tune plan … --json > FILE, or fer-tune simulate … --json > FILE"


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """A plan, or the simulation of a space as it is.

    Attributes:
        overrides: that made its space, as ``--set`` takes them.
        prediction: as the manifest keeps it.
    """

    overrides: list[str]
    prediction: dict[str, Any]


def read_plan(path: AnyPath, name: str) -> SavedPlan:
    """Reads a file of `plan` or `simulate`.

    Args:
        name: of the search space, or its file, as the user gave it.

    Raises:
        UserError: it cannot be read, is no such file, or is of another search space.
    """
    try:
        with reading(path):
            found = parse_json(read_at_most(path, _BYTES))
        if not isinstance(found, Mapping):
            raise InvalidJson("not a mapping")
        saved = _saved(found)
    except (InvalidJson, TooLarge) as error:
        raise UserError(f"is no plan: {error}", where=str(path), remedy=_REMEDY) from None
    except ValidationError as error:
        what, value = first_error(error)
        raise UserError(
            f"is no plan: {what}", where=str(path), value=value, remedy=_REMEDY
        ) from None
    if found.get("space") != name:
        raise UserError(
            f"is a plan for another search space than {name}",
            where=str(path),
            value=found.get("space"),
            remedy="Name the space as in the command that wrote the plan",
        )
    return saved


def _saved(found: Mapping[str, Any]) -> SavedPlan:
    plan = found.get("plan")
    is_plan = isinstance(plan, Mapping)
    part: Mapping[str, Any] = plan if isinstance(plan, Mapping) else found
    forecast = part.get("forecast") if is_plan else found
    figures = forecast if isinstance(forecast, Mapping) else {}
    prediction = Prediction.model_validate(
        {
            "source": "plan" if is_plan else "simulate",
            "verdicts": part.get("verdicts"),
            **{key: found.get(key) for key in ("curves", "currency", "price_per_hour")},
            **{key: figures.get(key) for key in _FIGURES},
        }
    )
    overrides: list[Any] = [found.get("set"), part.get("overrides") if is_plan else []]
    if not all(isinstance(o, list) and all(isinstance(s, str) for s in o) for o in overrides):
        raise InvalidJson("its settings are no lists of text")
    return SavedPlan(
        overrides=[setting for some in overrides for setting in some or []],
        prediction=prediction.model_dump(mode="json"),
    )
