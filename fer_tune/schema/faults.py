"""Short messages from the errors of pydantic."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

#: Characters of a value, a key and a rule that a message shows.
SHOWN, SHOWN_KEY, SHOWN_RULE = 80, 120, 300

_RULES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "greater_than": "must be above {gt:.15g}",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than": "must be below {lt:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "extra_forbidden": "is not a known key",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is missing",
}


class Shown:
    """A value as a message shows it: its ``repr``, cut off after 80 characters."""

    def __init__(self, value: object) -> None:
        # The repr of a long value is built from its start alone where that is possible.
        start = value[: 2 * SHOWN] if isinstance(value, str | bytes) else value
        text = _number(start) if isinstance(start, int) else repr(start)
        self._text = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."

    def __repr__(self) -> str:
        return self._text


def shown(value: object) -> Shown:
    """``value`` for a message, at most 80 characters long."""
    return Shown(value)


def first_error(error: ValidationError) -> tuple[str, Shown | None]:
    """The key and rule of the first error as one text, and the value that broke it."""
    details = error.errors(include_url=False)[0]
    kind, at = str(details["type"]), details["loc"]
    if kind.startswith("union_tag"):  # its location is that of the mapping without the tag
        at = (*at, str(details["ctx"]["discriminator"]).strip("'"))
    key = key_of(at)
    rule = rule_of(details)[:SHOWN_RULE]
    value = None if kind in ("missing", "union_tag_not_found") else shown(details.get("input"))
    others = error.error_count() - 1
    more = f" (and {others} more)" if others else ""
    return f"{key} {rule}{more}".lstrip(), value


def rule_of(details: ErrorDetails) -> str:
    """What a value must be, by one of pydantic's faults."""
    template, context = _RULES.get(details["type"]), details.get("ctx", {})
    return template.format(**context) if template else str(context.get("error", details["msg"]))


def key_of(steps: tuple[str | int, ...]) -> str:
    """A path into a document, such as ``choices[0].runs``, in at most 120 characters."""
    key = ""
    for step in steps:
        if isinstance(step, int):
            key += f"[{step}]"
        elif step != "[key]":  # pydantic marks an error in the key itself
            name = step if step.isprintable() and step else repr(step)
            key += f".{name}" if key else name
    return key if len(key) <= SHOWN_KEY else f"{key[: SHOWN_KEY - 3]}..."


def _number(value: int) -> str:
    """A whole number; Python does not print one of more than 4,300 digits."""
    return repr(value) if value.bit_length() < 1000 else f"a number of {value.bit_length()} bits"
