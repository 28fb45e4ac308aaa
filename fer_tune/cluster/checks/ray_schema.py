"""Ray's own judgement: its schema, then its preparation and validation."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ray.autoscaler
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from ray.autoscaler._private.providers import _get_default_config
from ray.autoscaler._private.util import prepare_config, validate_config

from fer_tune.cluster.checks.document import Document, Place
from fer_tune.errors import Fault
from fer_tune.space.faults import did_you_mean

PROVIDERS = ("aws", "gcp", "azure", "local")


def check_schema(document: Document) -> Iterator[Fault]:
    """Everything that Ray's schema refuses."""
    for error in sorted(
        _validator().iter_errors(document.value), key=lambda e: list(map(str, e.path))
    ):
        yield from schema_faults(document, error)


def schema_faults(
    document: Document, error: ValidationError, prefix: Place = ()
) -> Iterator[Fault]:
    """One error of jsonschema as faults, unknown and missing keys one by one."""
    place: Place = (*prefix, *error.absolute_path)
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
    """What Ray refuses beyond its schema; only for a file that the schema lets through."""
    said = io.StringIO()
    try:
        with _quiet(said):
            prepared = prepare_config(copy.deepcopy(document.value))
            validate_config(prepared)
    except (Exception, SystemExit) as error:  # Ray raises plain exceptions of many kinds
        text = str(error).strip() or said.getvalue().strip() or type(error).__name__
        yield document.fault((), f"Ray refuses it: {' '.join(text.split())[:300]}")


def defaults(provider: dict[str, Any]) -> dict[str, Any]:
    """What Ray fills in for keys that a file of this provider leaves out."""
    with _quiet(io.StringIO()):
        found: dict[str, Any] = _get_default_config(dict(provider))  # type: ignore[no-untyped-call]
    return found


@cache
def _validator() -> Draft7Validator:
    folder = Path(ray.autoscaler.__file__).parent
    return Draft7Validator(json.loads((folder / "ray-schema.json").read_text(encoding="utf-8")))


@contextlib.contextmanager
def _quiet(said: io.StringIO) -> Iterator[None]:
    logger = logging.getLogger("ray.autoscaler._private.util")
    before, logger.disabled = logger.disabled, True
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield
    finally:
        logger.disabled = before
