"""Applies ``--set a.b=value`` to the plain values of a search space, before they are checked."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from fer_tune.errors import Fault
from fer_tune.space.model import SearchSpace
from fer_tune.space.parameters import PARAMETERS
from fer_tune.wording import Broken, brief, nearest
from fer_tune.yaml_reader.core_schema import parse

#: Keys under which names are free, so that only the later checks can tell what is wrong.
_OPEN = ("parameters", "compare.arms")


def settable() -> tuple[str, ...]:
    """Every dotted key of a search space, in order; parameters by name, without their domains."""
    keys: list[str] = []
    for name, field in SearchSpace.model_fields.items():
        keys.append(name)
        if name == "parameters":
            keys += [f"parameters.{parameter}" for parameter in PARAMETERS]
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += [f"{name}.{inner}" for inner in field.annotation.model_fields]
    return tuple(keys)


def apply(values: dict[str, Any], overrides: Sequence[str]) -> tuple[dict[str, Any], list[Fault]]:
    """A changed copy of ``values``, and a fault for every override that cannot be applied.

    Later overrides win. The value is read as YAML; an empty one is null.
    """
    changed = copy.deepcopy(values)
    faults: list[Fault] = []
    for override in overrides:
        key, equals, text = override.partition("=")
        key = key.strip()
        if not equals or not key or not all(key.split(".")):
            rule = "must have the form key=value, with a dotted key"
            remedy = "For example --set budget.trials=16"
            faults.append(Fault(key="--set", rule=rule, value=brief(override), remedy=remedy))
            continue
        if (unknown := _unknown(key)) is not None:
            faults.append(unknown)
            continue
        try:
            document = parse(text)
            faults += [
                replace(fault, key=f"--set {key}.{fault.key}", line=None, column=None)
                for fault in document.repeated
            ]
            _put(changed, key, document.value)
        except Broken as broken:
            name = f"--set {key}"
            remedy = broken.remedy or "Quote the value"
            faults.append(Fault(key=name, rule=broken.rule, value=brief(text), remedy=remedy))
    return changed, faults


def _unknown(key: str) -> Fault | None:
    known = settable()
    first_two = ".".join(key.split(".")[:2])
    open_below = first_two in known and first_two.startswith(_OPEN)
    if key in known or open_below:
        return None
    near = nearest(key, known)
    remedy = f"Did you mean {near!r}?" if near else f"Known: {', '.join(SearchSpace.model_fields)}"
    return Fault(key=f"--set {key}", rule="is an unknown key", remedy=remedy)


def _put(values: dict[str, Any], key: str, value: object) -> None:
    *path, last = key.split(".")
    place: Any = values
    for depth, step in enumerate(path, start=1):
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            whole = ".".join(path[:depth])
            raise Broken(f"cannot be set: {whole} is not a mapping", f"Set {whole} as a whole")
    place[last] = value
