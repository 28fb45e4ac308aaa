"""Reads report.json as :class:`analysis.report.schema.Report`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from analysis.report.quantities import Json
from analysis.report.schema import SCHEMA_MINOR, SCHEMA_VERSION, Report
from analysis.report.values import Float, Int, Quantity
from fer_tune.errors import ResultsError, reading
from fer_tune.escaping import readable
from fer_tune.schema import TooLarge, first_error, read_at_most
from fer_tune.schema.limits import MIB
from fer_tune.storage import AnyPath, any_path

#: A larger report.json was not written by this package.
_BYTES = 256 * MIB
_AGAIN = "Write it again from its results folder with `fer-tune report RESULTS`"


def read_report(path: AnyPath | str, *, shown: bool = False) -> Report:
    """A report.json of this version and minor version, or of a later minor version.

    Of a later minor version the keys that this one does not know are left out.

    Args:
        shown: whether texts are in readable form, for what displays them.

    Raises:
        ResultsError: the file cannot be read, is of another version, or is no complete report.
    """
    where = any_path(path)
    try:
        with reading(where):
            document = json.loads(read_at_most(where, _BYTES))
        known = _known(document) if _check_version(document, where) else document
        return typed(known, shown=shown)
    except TooLarge as error:
        raise ResultsError(f"is {error}", where=str(where), remedy=_AGAIN) from None
    except ValidationError as error:
        what, value = first_error(error)
        raise ResultsError(what, where=str(where), value=value, remedy=_AGAIN) from None
    except (ValueError, RecursionError):
        raise ResultsError(
            "is truncated or not valid JSON", where=str(where), remedy=_AGAIN
        ) from None


def typed(document: Json, *, shown: bool = False) -> Report:
    """A document of this version; each number carries its path.

    Args:
        shown: whether texts are in readable form, for what displays them.

    Raises:
        ValidationError: it is no complete report of this version.
    """
    return Report.model_validate(traced(readable(document) if shown else document))


def typed_quantity(found: Json | None) -> Quantity | None:
    """A quantity of another document in JSON's own types; None stays None."""
    return None if found is None else Quantity.model_validate(traced(found))


def traced(value: Any, path: str = "") -> Any:
    """JSON's own types with numbers that know their path, and tuples for lists."""
    if isinstance(value, Mapping):
        return {key: traced(inner, _join(path, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return tuple(traced(inner, _join(path, str(n))) for n, inner in enumerate(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = Int(value) if isinstance(value, int) else Float(value)
    number.path = path
    return number


def _join(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step


def _check_version(document: Any, where: AnyPath) -> bool:
    """Whether the document is of a later minor version.

    Raises:
        ResultsError: it is of another version, or of an earlier minor version.
    """
    known = document if isinstance(document, dict) else {}
    version, minor = known.get("schema_version"), known.get("schema_minor", 0)
    if not isinstance(version, int) or not isinstance(minor, int):
        raise ResultsError("is not a report.json", where=str(where))
    if version > SCHEMA_VERSION:
        raise ResultsError(
            f"has version {version}.{minor}, but this fer-tune reads version {SCHEMA_VERSION}",
            where=str(where),
            remedy="Update fer-tune",
        )
    if (version, minor) < (SCHEMA_VERSION, SCHEMA_MINOR):
        raise ResultsError(
            f"has version {version}.{minor}, but this fer-tune reads version {SCHEMA_VERSION} "
            f"from {SCHEMA_VERSION}.{SCHEMA_MINOR} on",
            where=str(where),
            remedy=_AGAIN,
        )
    return minor > SCHEMA_MINOR


def _known(document: Json) -> Json:
    """``document`` without the keys that this version does not know."""
    try:
        Report.model_validate(traced(document))
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            if fault["type"] == "extra_forbidden":
                *steps, last = fault["loc"]
                inner: Any = document
                for step in steps:
                    inner = inner[step]
                inner.pop(last, None)
    return document
