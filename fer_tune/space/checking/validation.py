"""Checks each key of a search space on its own and keeps what is valid.

pydantic refuses a section as a whole; here every field is validated apart, so that the checks
between fields can still run on the valid ones and all errors are reported together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from fer_tune.errors import Fault
from fer_tune.schema import limits
from fer_tune.schema.faults import rule_of
from fer_tune.wording import Broken, brief, did_you_mean
from fer_tune.yaml_reader.document import dotted

#: Dotted key to valid value.
Parts = dict[str, Any]
Parser = Callable[[object, str], tuple[Parts, list[Fault]]]


def validate(
    model: type[BaseModel],
    raw: object,
    key: str = "",
    *,
    parsers: Mapping[str, Parser] | None = None,
) -> tuple[Parts, list[Fault]]:
    """Every valid field below ``raw``, defaults included, and every error.

    Args:
        key: dotted key of ``raw`` itself, empty at the top.
        parsers: functions for fields for which pydantic's messages are unclear.
    """
    if fault := no_mapping(
        raw, key, "keys to values", f"Known keys: {', '.join(model.model_fields)}"
    ):
        return {}, [fault]
    assert isinstance(raw, Mapping)
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
            path = f"{key}.{name}" if key else str(name)
            remedy = did_you_mean(str(name), model.model_fields)
            faults.append(Fault(key=path or "''", rule="is an unknown key", remedy=remedy))
    return parts, faults


def no_mapping(raw: object, key: str, content: str, remedy: str) -> Fault | None:
    """The error of a value that is not a mapping, or that has too many keys."""
    if not isinstance(raw, Mapping):
        rule = f"must be a mapping of {content}"
        return Fault(key=key, rule=rule, value=brief(raw), remedy=remedy)
    crowded = len(raw) > limits.KEYS
    rule = f"must have at most {limits.KEYS} keys"
    return Fault(key=key, rule=rule, value=len(raw)) if crowded else None


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


def _fault(details: ErrorDetails, key: str, value: object) -> Fault:
    error = details.get("ctx", {}).get("error")
    rule, got = rule_of(details), details.get("input", value)
    if got is None and not isinstance(error, Broken) and details["type"] != "literal_error":
        rule += ", not null"
    return Fault(
        key=dotted((key, *details["loc"])),
        rule=rule,
        value=brief(got),
        remedy=error.remedy if isinstance(error, Broken) else "",
    )


def _example(name: str, field: FieldInfo) -> str:
    if field.is_required() and not field.examples:
        return ""
    example = field.examples[0] if field.examples else json.dumps(field.default).strip('"')
    return f", for example `{name}: {example}`"
