"""Ray's own judgement: its schema, then its preparation and validation."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from fer_tune import ray_private
from fer_tune.errors import Fault
from fer_tune.wording import did_you_mean
from fer_tune.yaml_reader.document import Document, KeyPath


def check_schema(document: Document) -> Iterator[Fault]:
    """Everything that Ray's schema rejects."""
    for error in sorted(
        _validator().iter_errors(document.value), key=lambda e: list(map(str, e.path))
    ):
        yield from schema_faults(document, error)


def schema_faults(
    document: Document, error: ValidationError, prefix: KeyPath = ()
) -> Iterator[Fault]:
    """One error of jsonschema as faults, unknown and missing keys one by one."""
    place: KeyPath = (*prefix, *error.absolute_path)
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    known = list(schema.get("properties", {}))
    if error.validator == "additionalProperties":
        for name in error.instance:
            if name not in known:
                yield document.fault(
                    (*place, name), "is an unknown key", remedy=did_you_mean(str(name), known)
                )
    elif error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield document.fault((*place, name), "is missing", remedy="Add it")
    elif error.validator == "type":
        kinds = error.validator_value
        kinds = kinds if isinstance(kinds, list) else [kinds]
        yield document.fault(place, f"must be of type {' or '.join(kinds)}", value=error.instance)
    elif error.validator == "enum":
        yield document.fault(
            place,
            f"must be one of {', '.join(map(str, error.validator_value))}",
            value=error.instance,
        )
    else:
        yield document.fault(place, error.message[:200], value=error.instance)


def check_preparation(document: Document) -> Iterator[Fault]:
    """Ray's checks beyond its schema; only for a file that is valid by the schema."""
    said = io.StringIO()
    try:
        with _quiet(said):
            prepared = ray_private.prepare_config(copy.deepcopy(document.value))
            ray_private.validate_config(prepared)
    except (Exception, SystemExit) as error:  # Ray raises plain exceptions of many kinds
        text = str(error).strip() or said.getvalue().strip() or type(error).__name__
        yield document.fault((), f"Ray rejects it: {' '.join(text.split())[:300]}")


@cache
def defaults(provider: str) -> dict[str, Any]:
    """What Ray fills in for keys that a file of a provider of this type leaves out."""
    with _quiet(io.StringIO()):
        found: dict[str, Any] = ray_private.default_config({"type": provider})
    return found


@cache
def _validator() -> Draft7Validator:
    return Draft7Validator(ray_private.autoscaler_json(ray_private.CLUSTER_SCHEMA))


@contextlib.contextmanager
def _quiet(said: io.StringIO) -> Iterator[None]:
    logger = logging.getLogger(ray_private.CHECKS_LOGGER)
    before, logger.disabled = logger.disabled, True
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield
    finally:
        logger.disabled = before
