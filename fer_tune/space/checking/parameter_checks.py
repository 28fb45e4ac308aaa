"""Checks of parameters against the table of hyperparameters and against the arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fer_tune.errors import Fault
from fer_tune.space.checking.validation import Parts
from fer_tune.space.domains import (
    ChoiceDomain,
    Domain,
    FloatDomain,
    IntDomain,
    PerArm,
    Spec,
)
from fer_tune.space.parameters import PARAMETERS, Parameter
from fer_tune.wording import brief, did_you_mean, nearest

Specs = dict[str, Spec]


def specs_of(parts: Parts) -> Specs:
    """Parameter name to specification, of those that are valid."""
    prefix = "parameters."
    return {key[len(prefix) :]: spec for key, spec in parts.items() if key.startswith(prefix)}


def check_compared(parts: Parts) -> Iterator[Fault]:
    """The compared parameter is known, not sampled as well, and permits every arm's value."""
    name = parts.get("compare.parameter")
    if name is None:
        return
    if name not in PARAMETERS:
        yield Fault(
            key="compare.parameter",
            rule="is an unknown parameter",
            value=name,
            remedy=did_you_mean(name, PARAMETERS),
        )
        return
    if name in specs_of(parts):
        yield Fault(
            key=f"parameters.{name}",
            rule="must not be set: it is the compared parameter, so the arms set it",
            remedy="Remove it here or compare another parameter",
        )
    for arm, value in parts.get("compare.arms", {}).items():
        yield from _value_fault(PARAMETERS[name], value, f"compare.arms.{arm}")


def check_specs(parts: Parts) -> Iterator[Fault]:
    """Every value and every end of a domain is permitted; per_arm names arms that exist."""
    arms = parts.get("compare.arms")
    for name, spec in specs_of(parts).items():
        key = f"parameters.{name}"
        if not isinstance(spec, PerArm):
            yield from _spec_faults(PARAMETERS[name], spec, key)
            continue
        for arm, inner in spec.per_arm.items():
            path = f"{key}.per_arm.{arm}"
            if arms is not None and arm not in arms:
                remedy = did_you_mean(arm, arms)
                yield Fault(key=path, rule="is an unknown arm", remedy=remedy)
            yield from _spec_faults(PARAMETERS[name], inner, path)


def check_backbone(parts: Parts, faults: list[Fault]) -> Iterator[Fault]:
    """Each arm has exactly one backbone: compared, fixed, or fixed per arm."""
    compared = parts.get("compare.parameter")
    key = "parameters.backbone"
    touched = any(fault.key.startswith(key) for fault in faults)
    if compared is None or compared == "backbone" or touched:
        return
    spec = specs_of(parts).get("backbone")
    choices = ", ".join(PARAMETERS["backbone"].choices)
    if spec is None:
        remedy = f"Set it to one of {choices}"
        yield Fault(key=key, rule="is missing, as the arms do not set it", remedy=remedy)
        return
    values = spec.per_arm if isinstance(spec, PerArm) else {"": spec}
    if any(isinstance(value, (FloatDomain, IntDomain, ChoiceDomain)) for value in values.values()):
        yield Fault(
            key=key,
            rule="must be fixed within an arm, so that the arm has a definite cost and size",
            remedy="Fix it, or compare backbones (compare.allocation: sampled lets a study choose)",
        )
    missing = [arm for arm in parts.get("compare.arms", {}) if arm not in values]
    if isinstance(spec, PerArm) and missing:
        rule = f"has no default, so per_arm must name every arm; missing: {', '.join(missing)}"
        yield Fault(key=key, rule=rule, remedy="Add the missing arms")


def check_baselines(parts: Parts) -> Iterator[Fault]:
    """Baselines name known parameters and arms, permitted values, and not the compared one."""
    arms, compared = parts.get("compare.arms"), parts.get("compare.parameter")
    for number, baseline in enumerate(parts.get("cohorts.baseline", ())):
        for name, value in baseline.items():
            path = f"cohorts.baseline[{number}].{name}"
            if name == "arm":
                if arms is not None and str(value) not in arms:
                    remedy = did_you_mean(str(value), arms)
                    yield Fault(key=path, rule="is an unknown arm", value=value, remedy=remedy)
            elif name not in PARAMETERS:
                remedy = did_you_mean(name, ["arm", *PARAMETERS])
                yield Fault(key=path, rule="is an unknown parameter", remedy=remedy)
            elif name == compared:
                remedy = "Write `arm: NAME` to run the baseline in one arm only"
                yield Fault(key=path, rule="is the compared parameter", value=value, remedy=remedy)
            else:
                yield from _value_fault(PARAMETERS[name], value, path)


def fixed_and_sampled(
    specs: Mapping[str, Spec], arm: str
) -> tuple[dict[str, Any], dict[str, Domain]]:
    """What a file's parameters mean in one arm: name to value, and name to domain."""
    fixed: dict[str, Any] = {}
    sampled: dict[str, Domain] = {}
    for name, spec in specs.items():
        if isinstance(spec, PerArm):
            if arm not in spec.per_arm:
                continue
            spec = spec.per_arm[arm]
        if isinstance(spec, (FloatDomain, IntDomain, ChoiceDomain)):
            sampled[name] = spec
        else:
            fixed[name] = spec
    return fixed, sampled


def _value_fault(parameter: Parameter, value: object, key: str) -> Iterator[Fault]:
    if parameter.accepts(value):
        return
    near = nearest(str(value), parameter.choices)
    default = "" if parameter.default is None else f"The default is {parameter.default}"
    remedy = f"Did you mean {near!r}?" if near else default
    rule = f"must be {parameter.rule}"
    yield Fault(key=key, rule=rule, value=brief(value), remedy=remedy or "Choose one of them")


def _spec_faults(parameter: Parameter, spec: object, key: str) -> Iterator[Fault]:
    if isinstance(spec, ChoiceDomain):
        for number, value in enumerate(spec.values):
            yield from _value_fault(parameter, value, f"{key}.values[{number}]")
    elif isinstance(spec, (FloatDomain, IntDomain)):
        wrong = parameter.kind == "choice" or (
            parameter.kind == "int" and isinstance(spec, FloatDomain)
        )
        if wrong:
            fitting = "choice" if parameter.kind == "choice" else "int or choice"
            yield Fault(
                key=f"{key}.type",
                rule=f"must be {fitting}, since {parameter.name} is {parameter.rule}",
                value=spec.type,
                remedy="Change the type",
            )
        else:
            yield from _value_fault(parameter, spec.low, f"{key}.low")
            yield from _value_fault(parameter, spec.high, f"{key}.high")
    else:
        yield from _value_fault(parameter, spec, key)
