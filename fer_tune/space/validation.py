"""Checks each key of a search space on its own and keeps what is valid.

pydantic refuses a section as a whole; here every field is validated apart, so that the checks
between fields can still run on the valid ones and all faults are told together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from fer_tune.errors import Fault
from fer_tune.space.faults import Broken, brief, nearest

#: Dotted key to valid value.
Parts = dict[str, Any]
Parser = Callable[[object, str], tuple[Parts, list[Fault]]]

_RULES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "dict_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
}


def validate(
    model: type[BaseModel],
    raw: object,
    key: str = "",
    *,
    parsers: Mapping[str, Parser] | None = None,
) -> tuple[Parts, list[Fault]]:
    """Every valid field below ``raw``, defaults included, and every fault.

    Args:
        key: dotted key of ``raw`` itself, empty at the top.
        parsers: functions for fields that pydantic's messages would serve badly.
    """
    if not isinstance(raw, Mapping):
        rule = "must be a mapping of keys to values"
        return {}, [Fault(key=key, rule=rule, value=brief(raw), remedy=_known(model))]
    parts: Parts = {}
    faults: list[Fault] = []
    for name, field in model.model_fields.items():
        path = f"{key}.{name}" if key else name
        inner, kind = raw.get(name, {}), field.annotation
        if parsers and name in parsers:
            found = parsers[name](inner, path)
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            found = validate(kind, inner, path)
        elif name in raw:
            found = _leaf(model, name, raw[name], path)
        elif field.is_required():
            remedy = f"Add it{_example(name, field)}"
            found = {}, [Fault(key=path, rule="is missing", remedy=remedy)]
        else:
            found = {path: field.get_default(call_default_factory=True)}, []
        parts.update(found[0])
        faults.extend(found[1])
    for name in raw:
        if name not in model.model_fields:
            faults.append(unknown_key(f"{key}.{name}" if key else str(name), name, model))
    return parts, faults


def unknown_key(path: str, name: object, model: type[BaseModel]) -> Fault:
    """The fault of a key that ``model`` does not have, naming the nearest that it has."""
    near = nearest(str(name), model.model_fields)
    remedy = f"Did you mean {near!r}?" if near else _known(model)
    return Fault(key=path or "''", rule="is an unknown key", remedy=remedy)


def construct_fault(error: ValidationError, key: str, value: object) -> list[Fault]:
    """The faults of a value that pydantic refused, with our wording."""
    return [_fault(details, key, value) for details in error.errors(include_url=False)]


def _leaf(model: type[BaseModel], name: str, value: object, path: str) -> tuple[Parts, list[Fault]]:
    try:
        return {path: _adapter(model, name).validate_python(value)}, []
    except ValidationError as error:
        example = _example(name, model.model_fields[name])
        faults = construct_fault(error, path, value)
        return {}, [
            fault if fault.remedy else replace(fault, remedy=f"Change it{example}")
            for fault in faults
        ]


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    field = model.model_fields[name]
    kind: Any = field.annotation
    return TypeAdapter(Annotated[kind, *field.metadata] if field.metadata else kind)


def _fault(details: Any, key: str, value: object) -> Fault:
    path = key
    for step in details["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    context = details.get("ctx", {})
    broken = context.get("error")
    shown = brief(details.get("input", value))
    if isinstance(broken, Broken):
        return Fault(key=path, rule=broken.rule, value=shown, remedy=broken.remedy)
    if details["type"] == "literal_error":
        return Fault(key=path, rule=f"must be {context['expected']}", value=shown)
    template = _RULES.get(details["type"])
    rule = template.format(**context) if template else details["msg"]
    if details.get("input", value) is None:
        rule += ", not null"
    return Fault(key=path, rule=rule, value=shown)


def _example(name: str, field: FieldInfo) -> str:
    if field.is_required() and not field.examples:
        return ""
    example = field.examples[0] if field.examples else json.dumps(field.default).strip('"')
    return f", for example `{name}: {example}`"


def _known(model: type[BaseModel]) -> str:
    return f"Known keys: {', '.join(model.model_fields)}"
