"""Keys that Ray's schema does not check: those of `provider` and of `node_config`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from fer_tune import ray_private
from fer_tune.errors import Fault
from fer_tune.wording import did_you_mean, nearest
from fer_tune.yaml_reader.document import Document, KeyPath

_COMMON = ("type", "use_internal_ips", "cache_stopped_nodes", "disable_node_updaters")
#: What each of Ray's node providers reads, by its source (Ray 2.60).
PROVIDER_KEYS = {
    "aws": (
        *_COMMON,
        *("region", "availability_zone", "security_group", "key_pair", "aws_credentials"),
        "cloudwatch",
    ),
    "gcp": (*_COMMON, "region", "availability_zone", "project_id", "gcp_credentials"),
    "azure": (
        *_COMMON,
        *("location", "resource_group", "subscription_id", "availability_zone", "tags"),
        *("unique_id", "subnet_mask", "msi_name", "msi_resource_group", "use_external_head_ip"),
    ),
    "local": (
        *_COMMON,
        *("head_ip", "worker_ips", "external_head_ip", "coordinator_address"),
    ),
}
_REQUIRED = {
    "aws": ("region",),
    "gcp": ("region", "availability_zone", "project_id"),
    "azure": ("location", "resource_group"),
    "local": (),
}
#: Where a part of a machine lies, in a path of Google's.
_LIES_IN = re.compile(r"(?:^|/)(regions|zones)/([\w-]+)")
_ARM_KEYS = ("azure_arm_parameters", "tags")
#: Parameters of Ray's template that Ray itself fills in.
_ARM_OF_RAY = ("vmName", "vmTags", "vmCount", "msi", "nsg", "subnet", "zones", "provisionPublicIp")


def check_provider(document: Document) -> Iterator[Fault]:
    """Unknown and missing keys of `provider`, then of every `node_config`."""
    if not document.mapping("provider"):
        return  # reported by Ray's schema
    kind = str(document.get("provider", "type"))
    if kind not in PROVIDER_KEYS:
        yield document.fault(
            ("provider", "type"),
            f"must be one of {', '.join(PROVIDER_KEYS)}",
            value=document.get("provider", "type"),
            remedy="Only these providers are supported",
        )
        return
    provider = document.mapping("provider")
    for name in provider:
        if name not in PROVIDER_KEYS[kind]:
            yield document.fault(
                ("provider", name),
                "is an unknown key",
                remedy=did_you_mean(name, PROVIDER_KEYS[kind]),
            )
    for name in _REQUIRED[kind]:
        if not provider.get(name):
            yield document.fault(("provider", name), "is missing", remedy="Add it")
    if kind in ("aws", "gcp"):
        yield from _places(document, kind)
    judge = {"aws": _amazon, "gcp": _google, "azure": _azure}.get(kind)
    for name in document.mapping("available_node_types") if judge else ():
        place: KeyPath = ("available_node_types", name, "node_config")
        if judge and document.mapping(*place):
            yield from judge(document, place)


def _places(document: Document, kind: str) -> Iterator[Fault]:
    """Zones that lie in another region, and parts of Google's machines that lie elsewhere."""
    provider = document.mapping("provider")
    region, zones = provider.get("region"), provider.get("availability_zone")
    if not (isinstance(region, str) and isinstance(zones, str)):
        return
    beginning = region if kind == "aws" else f"{region}-"
    outside = [z for z in map(str.strip, zones.split(",")) if not z.startswith(beginning)]
    if outside:
        yield document.fault(
            ("provider", "availability_zone"),
            f"must be in {region}",
            value=", ".join(outside),
            remedy="Change it, or provider.region",
        )
    for place, value in document.scalars() if kind == "gcp" and not outside else ():
        for what, name in _LIES_IN.findall(value) if isinstance(value, str) else ():
            wanted = region if what == "regions" else zones
            if place[0] == "available_node_types" and name != wanted:
                yield document.fault(
                    place,
                    f"must be in {wanted}, like provider",
                    value=value,
                    remedy="Change it",
                )


def _amazon(document: Document, place: KeyPath) -> Iterator[Fault]:
    node = dict(document.mapping(*place))
    # Ray removes these before it calls Amazon.
    node.pop("SubnetIds", None)
    yield from _by_botocore(document, place, node, _run_instances())
    if "InstanceType" not in node and "LaunchTemplate" not in node:
        yield document.fault((*place, "InstanceType"), "is missing", remedy="Set a machine type")


def _by_botocore(document: Document, place: KeyPath, value: Any, shape: Any) -> Iterator[Fault]:
    """``value`` against a shape of botocore's model: names, kinds and permitted values."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield document.fault(place, "must be a mapping", value=value)
            return
        for name, inner in value.items():
            if name in shape.members:
                yield from _by_botocore(document, (*place, name), inner, shape.members[name])
            else:
                yield document.fault(
                    (*place, name), "is an unknown key", remedy=did_you_mean(name, shape.members)
                )
        for name in shape.required_members:
            if name not in value and name not in ("MinCount", "MaxCount"):  # set by Ray
                yield document.fault((*place, name), "is missing", remedy="Add it")
    elif kind == "list":
        if not isinstance(value, list):
            yield document.fault(place, "must be a list", value=value)
            return
        for index, inner in enumerate(value):
            yield from _by_botocore(document, (*place, index), inner, shape.member)
    elif kind == "string" and not isinstance(value, str):
        yield document.fault(place, "must be text", value=value)
    elif kind == "string" and shape.enum and value not in shape.enum:
        yield document.fault(
            place,
            "is not a value that Amazon accepts",
            value=value,
            remedy=_near(value, shape.enum),
        )
    elif (kind in ("integer", "long") and type(value) is not int) or (
        kind == "boolean" and not isinstance(value, bool)
    ):
        words = "true or false" if kind == "boolean" else "a whole number"
        yield document.fault(place, f"must be {words}", value=value)


@cache
def _run_instances() -> Any:
    import botocore.session

    model = botocore.session.get_session().get_service_model("ec2")
    return model.operation_model("RunInstances").input_shape


def _google(document: Document, place: KeyPath) -> Iterator[Fault]:
    node = dict(document.mapping(*place))
    if "acceleratorType" in node or "acceleratorConfig" in node:
        return  # a TPU, of another interface
    # Ray removes this one before it calls Google.
    node.pop("sourceInstanceTemplate", None)
    yield from _by_discovery(document, place, node, {"$ref": "Instance"})


def _by_discovery(
    document: Document, place: KeyPath, value: Any, schema: dict[str, Any]
) -> Iterator[Fault]:
    """``value`` against a schema of Google's published interface: names and kinds."""
    if "$ref" in schema:
        schema = _compute()[schema["$ref"]]
    if schema.get("type") == "object" and "properties" in schema:
        if not isinstance(value, dict):
            yield document.fault(place, "must be a mapping", value=value)
            return
        known = schema["properties"]
        for name, inner in value.items():
            if name == "scheduling" and isinstance(inner, list) and len(inner) == 1:
                inner = inner[0]  # as Ray's own examples write it
            if name in known:
                yield from _by_discovery(document, (*place, name), inner, known[name])
            else:
                yield document.fault(
                    (*place, name), "is an unknown key", remedy=did_you_mean(name, known)
                )
    elif schema.get("type") == "array":
        if not isinstance(value, list):
            yield document.fault(place, "must be a list", value=value)
            return
        for index, inner in enumerate(value):
            yield from _by_discovery(document, (*place, index), inner, schema["items"])
    elif schema.get("type") == "boolean" and not isinstance(value, bool):
        yield document.fault(place, "must be true or false", value=value)
    elif "enum" in schema and value not in schema["enum"]:
        yield document.fault(
            place,
            "is not a value that Google accepts",
            value=value,
            remedy=_near(value, schema["enum"]),
        )


@cache
def _compute() -> dict[str, Any]:
    import googleapiclient

    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    schemas: dict[str, Any] = json.loads((folder / "compute.v1.json").read_text("utf-8"))["schemas"]
    return schemas


def _azure(document: Document, place: KeyPath) -> Iterator[Fault]:
    for name in document.mapping(*place):
        if name not in _ARM_KEYS:
            yield document.fault(
                (*place, name), "is an unknown key", remedy=did_you_mean(name, _ARM_KEYS)
            )
    known = _arm_parameters()
    arm = document.mapping(*place, "azure_arm_parameters")
    for name in arm:
        if name not in known:
            yield document.fault(
                (*place, "azure_arm_parameters", name),
                "is an unknown key",
                remedy=did_you_mean(name, known),
            )
    if not arm.get("vmSize"):
        yield document.fault(
            (*place, "azure_arm_parameters", "vmSize"), "is missing", remedy="Set a machine type"
        )


@cache
def _arm_parameters() -> tuple[str, ...]:
    template = ray_private.autoscaler_json(ray_private.AZURE_TEMPLATE)
    known = [name for name in template["parameters"] if name not in _ARM_OF_RAY]
    return (*known, "availability_zone")


def _near(value: object, known: list[str]) -> str:
    near = nearest(str(value), known)
    return f"Did you mean {near!r}?" if near else ""
