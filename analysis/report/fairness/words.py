"""Sentences of the chapter on the fairness of the search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.formats import count, listing, percent, plural
from analysis.report.fairness.schema import ArmBudget, ChosenValue, FairnessPart
from analysis.settings import LIMIT_MARGIN

#: Up to this many arms are named individually.
_NAMED = 3


def lead(fairness: FairnessPart) -> str:
    """Budgets and conditions of the arms, and how many trials failed."""
    arms = fairness.arms
    if not any(arm.total for arm in arms):
        return "No trial has ended yet, so there is nothing to compare."
    if len(arms) == 1:
        return f"{_alone(fairness, arms[0])}."
    parts = (_trials(fairness, arms), _conditions(fairness), _epochs(arms), _lost(arms))
    return f"{'; '.join(part for part in parts if part)}."


def at_limits(fairness: FairnessPart) -> str:
    """How many chosen values are at a limit, and by which rule."""
    values = [
        p
        for arm in fairness.choices
        for study in arm.studies
        for p in study.parameters
        if p.position is not None and not p.idle
    ]
    hard = [p for p in values if p.end and not p.natural]
    soft = [p for p in values if p.end and p.natural]
    where = listing(dict.fromkeys(f"{p.parameter} ({_end(p)})" for p in hard))
    return (
        f"Of {plural(len(values), 'chosen number')}, {len(hard)} "
        f"{'is' if len(hard) == 1 else 'are'} at a limit of the search space"
        f"{f' ({where})' if where else ''} and {len(soft)} at a natural limit, such as 0 or the "
        f"end of a list. A value is at a limit within {percent(LIMIT_MARGIN)} of the domain's "
        "width, on the sampling scale. Some values are there by chance; the validity checks say "
        "whether there is more evidence."
    )


def _end(parameter: ChosenValue) -> str:
    return "lower limit" if parameter.end == "low" else "upper limit"


def _alone(fairness: FairnessPart, arm: ArmBudget) -> str:
    studies = plural(len(fairness.studies), "study", "studies")
    lost = _lost([arm])
    return (
        f"{arm.arm} got {plural(arm.total, 'trial')} in {studies}, of which "
        f"{count(arm.to_the_end)} were trained to the end; {lost}"
    )


def _trials(fairness: FairnessPart, arms: Sequence[ArmBudget]) -> str:
    totals = [arm.total for arm in arms]
    if len(set(totals)) > 1:
        return f"The arms got different numbers of trials: {_each(arms, totals)}"
    studies = {sum(study.arm == arm.arm for study in fairness.studies) for arm in arms}
    within = f" in {plural(max(studies), 'study', 'studies')}" if len(studies) == 1 else ""
    every = "Both arms" if len(arms) == 2 else f"All {len(arms)} arms"
    return f"{every} got {plural(totals[0], 'trial')}{within}"


def _conditions(fairness: FairnessPart) -> str:
    sampled = [row for row in fairness.parameters if row.sampled]
    apart = [row.parameter for row in sampled if not row.same]
    other = [row.name for row in fairness.conditions if not row.same]
    domains = (
        f"the domains of {listing(apart)} differ between arms"
        if apart
        else f"the {plural(len(sampled), 'sampled parameter')} had the same domains"
    )
    return domains + (f", but the arms differ in: {listing(other)}" if other else "")


def _epochs(arms: Sequence[ArmBudget]) -> str:
    ran = [arm.epochs_run for arm in arms]
    if len(arms) > _NAMED:
        return f"they ran {count(min(ran))} to {count(max(ran))} epochs each"
    return f"epochs run: {_each(arms, ran)}"


def _lost(arms: Sequence[ArmBudget]) -> str:
    """Failed or out of memory; a divergence does not count, as it is a result."""
    lost = [arm.states.oom + arm.states.failed for arm in arms]
    if not any(lost):
        return "no trial failed or ran out of memory"
    shares = [
        f"{number} ({percent(number / max(arm.total, 1))})"
        for number, arm in zip(lost, arms, strict=True)
    ]
    if len(arms) == 1:
        return f"{shares[0]} failed or ran out of memory"
    if len(arms) > _NAMED:
        return f"{min(lost)} to {max(lost)} trials of an arm failed or ran out of memory"
    return f"failed or out of memory: {_each(arms, shares)}"


def _each(arms: Sequence[ArmBudget], values: Iterable[object]) -> str:
    return listing(
        f"{arm.arm} {count(value) if isinstance(value, int) else value}"
        for arm, value in zip(arms, values, strict=True)
    )
