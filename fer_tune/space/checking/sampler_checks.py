"""Whether a search space suits its sampler: what it cannot sample is refused, never replaced."""

from __future__ import annotations

from collections.abc import Iterator

from fer_tune.errors import Fault
from fer_tune.space.checking.parameter_checks import fixed_and_sampled, specs_of
from fer_tune.space.checking.validation import Parts
from fer_tune.space.domains import ChoiceDomain, Domain

#: Samplers of parameters that depend on a sampled arm, and of unordered choices.
CONDITIONAL = ("auto", "tpe", "random")
CHOICES = ("auto", "tpe", "random", "qmc", "gp", "cqr")


def check_sampler(parts: Parts, faults: list[Fault]) -> Iterator[Fault]:
    """Faults of ``sampler``; ``faults`` are those already found in single fields."""
    keys = {"sampler", "compare.arms", "compare.allocation"}
    broken = any(f.key.startswith(("parameters", "cohorts")) for f in faults)
    if not parts.keys() >= keys or broken:
        return
    name, arms = parts["sampler"], list(parts["compare.arms"])
    domains = {arm: fixed_and_sampled(specs_of(parts), arm)[1] for arm in arms}
    is_sampled = parts["compare.allocation"] == "sampled" and len(arms) > 1
    if is_sampled and name not in CONDITIONAL and (differing := sorted(_differing(domains))):
        yield _fault(
            name,
            f"cannot sample parameters that depend on a sampled arm: {', '.join(differing)}",
            "give all arms the same domains, use compare.allocation: equal, or sampler: "
            + " or ".join(_named(CONDITIONAL)),
        )
        return
    if name == "cmaes":
        yield from _numbers(name, domains, is_sampled)


def _numbers(name: str, domains: dict[str, dict[str, Domain]], is_sampled: bool) -> Iterator[Fault]:
    """CMA-ES samples numbers alone, and at least two of them."""
    choices = {
        parameter: None
        for sampled in domains.values()
        for parameter, domain in sampled.items()
        if isinstance(domain, ChoiceDomain)
    }
    others = " or ".join(_named(CHOICES))
    if is_sampled:
        rule = "cannot sample the arm, which is a choice"
        yield _fault(name, rule, f"use compare.allocation: equal, or sampler: {others}")
    elif choices:
        rule = f"cannot sample choices: {', '.join(choices)}"
        yield _fault(name, rule, f"give these a range or a fixed value, or use sampler: {others}")
    elif few := [arm for arm, sampled in domains.items() if len(sampled) == 1]:
        rule = f"must sample at least 2 parameters, and {few[0]} samples 1"
        yield _fault(name, rule, f"sample another one, or use sampler: {others}")


def _differing(domains: dict[str, dict[str, Domain]]) -> set[str]:
    """Parameters that not all arms sample from the same domain."""
    names = {name for sampled in domains.values() for name in sampled}
    return {
        name for name in names if len({repr(sampled.get(name)) for sampled in domains.values()}) > 1
    }


def _fault(name: str, rule: str, remedy: str) -> Fault:
    return Fault(key="sampler", rule=rule, value=name, remedy=remedy[0].upper() + remedy[1:])


def _named(samplers: tuple[str, ...]) -> list[str]:
    return [name for name in samplers if name != "auto"]
