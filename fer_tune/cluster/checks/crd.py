"""Kubernetes manifests against KubeRay's own definitions, as strictly as `kubectl --validate`."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from fer_tune.cluster.checks.ray_schema import schema_faults
from fer_tune.errors import Fault, UserError
from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import Limits, plain, read_bytes
from fer_tune.yaml_reader.document import Document

#: Parts of a definition that are documentation, or for the server only.
_IGNORED = ("description", "default", "format")
#: Of a definition; the largest of KubeRay have about 2 MiB.
_LIMITS = Limits(size=16 * 2**20, values=1_000_000, depth=100)


def check_structure(document: Document, folder: Path) -> Iterator[Fault]:
    """Everything that the definitions in ``folder`` reject, unknown keys included.

    Args:
        folder: of KubeRay's ``ray.io_*.yaml`` files, which may be gzipped.
    """
    kind = (str(document.get("apiVersion")), str(document.get("kind")))
    validators = _validators(folder)
    if kind not in validators:
        yield document.fault(
            ("kind",),
            "is not defined",
            value=" ".join(kind),
            remedy=f"Defined: {', '.join(' '.join(known) for known in sorted(validators))}",
        )
        return
    errors = validators[kind].iter_errors(document.value)
    for error in sorted(errors, key=lambda one: list(map(str, one.absolute_path))):
        yield from schema_faults(document, error)


@cache
def _validators(folder: Path) -> dict[tuple[str, str], Draft7Validator]:
    files = sorted([*folder.glob("ray.io_*.yaml"), *folder.glob("ray.io_*.yaml.gz")])
    if not files:
        raise UserError(
            "contains no KubeRay definitions",
            where="--crds",
            value=str(folder),
            remedy="Specify a folder with its ray.io_*.yaml, from helm-chart/kuberay-operator/crds",
        )
    found = {}
    for file in files:
        try:
            opener = gzip.open if file.suffix == ".gz" else open
            definition = plain(
                read_bytes(file, _LIMITS, "The limit is for the unpacked file", opener), _LIMITS
            )
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = _strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}  # Kubernetes checks it
                key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                found[key] = Draft7Validator(schema)
        except Broken as broken:
            raise UserError(str(broken), where=str(file), remedy=broken.remedy) from None
        except (KeyError, TypeError):
            raise UserError("is not a Kubernetes definition", where=str(file)) from None
    return found


def _strict(schema: Any) -> Any:
    """A structural schema as JSON Schema that rejects unknown keys."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    properties = schema.get("properties", {})
    strict = {
        key: {name: _strict(one) for name, one in value.items()}
        if key == "properties"
        else _strict(value)
        for key, value in schema.items()
        if key not in _IGNORED
    }
    keeps = schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in strict and "additionalProperties" not in strict and not keeps:
        strict["additionalProperties"] = False
    if "required" in strict:  # the server fills defaults in first
        strict["required"] = [
            name for name in strict["required"] if "default" not in properties.get(name, {})
        ]
    return {"anyOf": [strict, {"type": "null"}]} if strict.get("nullable") else strict
