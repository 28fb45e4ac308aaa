"""Sentences of the chapter on the fairness of the search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.formats import count, listing, percent, plural
from analysis.report.presentation.cursor import At
from analysis.settings import LIMIT_MARGIN

#: Up to this many arms are named individually.
_NAMED = 3


def lead(fairness: At) -> str:
    """Budgets and conditions of the arms, and how many trials failed."""
    arms = list(fairness["arms"])
    if not any(arm["total"].value for arm in arms):
        return "No trial has ended yet, so there is nothing to compare."
    if len(arms) == 1:
        return f"{_alone(fairness, arms[0])}."
    parts = (_trials(fairness, arms), _conditions(fairness), _epochs(arms), _lost(arms))
    return f"{'; '.join(part for part in parts if part)}."


def at_limits(fairness: At) -> str:
    """How many chosen values are at a limit, and by which rule."""
    values = [
        p
        for arm in fairness["choices"]
        for study in arm["studies"]
        for p in study["parameters"]
        if p["position"].value is not None and not p["idle"].value
    ]
    hard = [p for p in values if p["end"].value and not p["natural"].value]
    soft = [p for p in values if p["end"].value and p["natural"].value]
    where = listing(dict.fromkeys(f"{p['parameter'].value} ({_end(p)})" for p in hard))
    return (
        f"Of {plural(len(values), 'chosen number')}, {len(hard)} "
        f"{'is' if len(hard) == 1 else 'are'} at a limit of the search space"
        f"{f' ({where})' if where else ''} and {len(soft)} at a natural limit, such as 0 or the "
        f"end of a list. A value is at a limit within {percent(LIMIT_MARGIN)} of the domain's "
        "width, on the sampling scale. Some values are there by chance; the validity checks say "
        "whether there is more evidence."
    )


def _end(parameter: At) -> str:
    return {"low": "lower limit", "high": "upper limit"}[parameter["end"].value]


def _alone(fairness: At, arm: At) -> str:
    studies = plural(len(fairness["studies"]), "study", "studies")
    lost = _lost([arm])
    return (
        f"{arm['arm'].value} got {plural(arm['total'].value, 'trial')} in {studies}, of which "
        f"{count(arm['to_the_end'].value)} were trained to the end; {lost}"
    )


def _trials(fairness: At, arms: Sequence[At]) -> str:
    totals = [arm["total"].value for arm in arms]
    if len(set(totals)) > 1:
        return f"The arms got different numbers of trials: {_each(arms, totals)}"
    studies = {
        sum(study["arm"].value == arm["arm"].value for study in fairness["studies"]) for arm in arms
    }
    within = f" in {plural(max(studies), 'study', 'studies')}" if len(studies) == 1 else ""
    every = "Both arms" if len(arms) == 2 else f"All {len(arms)} arms"
    return f"{every} got {plural(totals[0], 'trial')}{within}"


def _conditions(fairness: At) -> str:
    sampled = [row for row in fairness["parameters"] if row["sampled"].value]
    apart = [row["parameter"].value for row in sampled if not row["same"].value]
    other = [row["name"].value for row in fairness["conditions"] if not row["same"].value]
    domains = (
        f"the domains of {listing(apart)} differ between arms"
        if apart
        else f"the {plural(len(sampled), 'sampled parameter')} had the same domains"
    )
    return domains + (f", but the arms differ in: {listing(other)}" if other else "")


def _epochs(arms: Sequence[At]) -> str:
    ran = [arm["epochs_run"].value for arm in arms]
    if len(arms) > _NAMED:
        return f"they ran {count(min(ran))} to {count(max(ran))} epochs each"
    return f"epochs run: {_each(arms, ran)}"


def _lost(arms: Sequence[At]) -> str:
    """Failed or out of memory; a divergence does not count, as it is a result."""
    lost = [arm["states"]["oom"].value + arm["states"]["failed"].value for arm in arms]
    if not any(lost):
        return "no trial failed or ran out of memory"
    shares = [
        f"{number} ({percent(number / max(arm['total'].value, 1))})"
        for number, arm in zip(lost, arms, strict=True)
    ]
    if len(arms) == 1:
        return f"{shares[0]} failed or ran out of memory"
    if len(arms) > _NAMED:
        return f"{min(lost)} to {max(lost)} trials of an arm failed or ran out of memory"
    return f"failed or out of memory: {_each(arms, shares)}"


def _each(arms: Sequence[At], values: Iterable[object]) -> str:
    return listing(
        f"{arm['arm'].value} {count(value) if isinstance(value, int) else value}"
        for arm, value in zip(arms, values, strict=True)
    )
