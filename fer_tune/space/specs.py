"""Reads the section ``parameters``: fixed values, domains, and either of them per arm."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from fer_tune.errors import Fault
from fer_tune.space.checking.validation import Parts, construct_fault, no_mapping, validate
from fer_tune.space.domains import DOMAINS, PerArm, Spec, scalar
from fer_tune.space.parameters import PARAMETERS
from fer_tune.wording import Broken, brief, did_you_mean, nearest

NOTATION = (
    "Write a value to fix it, {type: float, low: 1e-4, high: 1e-2, log: true}, "
    "{type: int, low: 0, high: 3}, {type: choice, values: [a, b]} or {per_arm: {ARM: ...}}"
)


def parse_parameters(raw: object, key: str) -> tuple[Parts, list[Fault]]:
    """Every well-formed parameter as ``{"parameters.NAME": spec}``, and all errors."""
    if fault := no_mapping(raw, key, "parameters to values or domains", NOTATION):
        return {}, [fault]
    assert isinstance(raw, Mapping)
    parts: Parts = {}
    faults: list[Fault] = []
    for name, inner in raw.items():
        path = f"{key}.{name}"
        if name not in PARAMETERS:
            remedy = did_you_mean(str(name), PARAMETERS)
            faults.append(Fault(key=path, rule="is an unknown parameter", remedy=remedy))
            continue
        spec, found = _spec(inner, path)
        faults.extend(found)
        if spec is not None:
            parts[path] = spec
    return parts, faults


def _spec(raw: object, key: str) -> tuple[Spec | None, list[Fault]]:
    if isinstance(raw, Mapping) and "per_arm" in raw:
        return _per_arm(raw, key)
    if isinstance(raw, Mapping):
        return _domain(raw, key)
    try:
        return scalar(raw), []
    except Broken as broken:
        rule = f"{broken.rule} or a domain"
        return None, [Fault(key=key, rule=rule, value=brief(raw), remedy=NOTATION)]


def _domain(raw: Mapping[str, object], key: str) -> tuple[Spec | None, list[Fault]]:
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in DOMAINS:
        rule = "must be float, int or choice" if "type" in raw else "is missing"
        near = nearest(str(kind), DOMAINS) if "type" in raw else None
        remedy = f"Did you mean {near!r}?" if near else NOTATION
        return None, [Fault(key=f"{key}.type", rule=rule, value=brief(kind), remedy=remedy)]
    model = DOMAINS[kind]
    parts, faults = validate(model, raw, key)
    if faults:
        return None, faults
    try:
        return model(**{path.rpartition(".")[2]: value for path, value in parts.items()}), []
    except ValidationError as error:
        return None, construct_fault(error, key, dict(raw))


def _per_arm(raw: Mapping[str, object], key: str) -> tuple[Spec | None, list[Fault]]:
    arms = raw["per_arm"]
    faults = [
        Fault(
            key=f"{key}.{name}",
            rule="is not allowed next to per_arm",
            value=brief(value),
            remedy="Move it into the arms for which it is meant",
        )
        for name, value in raw.items()
        if name != "per_arm"
    ]
    content = "at least 1 arm to its value or domain"
    if fault := no_mapping(arms or None, f"{key}.per_arm", content, NOTATION):
        return None, [*faults, fault]
    assert isinstance(arms, Mapping)
    specs = {}
    for arm, inner in arms.items():
        path = f"{key}.per_arm.{arm}"
        if isinstance(inner, Mapping) and "per_arm" in inner:
            rule = "must not contain another per_arm"
            faults.append(Fault(key=path, rule=rule, value=brief(dict(inner)), remedy=NOTATION))
            continue
        spec, found = _spec(inner, path)
        faults.extend(found)
        if spec is not None:
            assert not isinstance(spec, PerArm)
            specs[str(arm)] = spec
    return (None if faults else PerArm(per_arm=specs)), faults
