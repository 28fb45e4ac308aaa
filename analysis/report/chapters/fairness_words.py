"""What the chapter on the fairness of the search says in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.formats import count, listing, percent, plural
from analysis.report.cursor import At

#: Up to so many arms are named one by one.
_NAMED = 3


def lead(fairness: At) -> str:
    """What the arms got, whether it was alike, and what was lost."""
    arms = list(fairness["arms"])
    if not any(arm["total"].value for arm in arms):
        return "No trial has ended yet, so there is nothing to compare."
    if len(arms) == 1:
        return f"{_alone(fairness, arms[0])}."
    parts = (_trials(fairness, arms), _conditions(fairness), _epochs(arms), _lost(arms))
    return f"{'; '.join(part for part in parts if part)}."


def at_limits(fairness: At) -> str:
    """How many chosen values lie at a limit, and by what rule."""
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
        f"Of {plural(len(values), 'chosen number')} {len(hard)} "
        f"{'lies' if len(hard) == 1 else 'lie'} at a limit beyond which the search could not go"
        f"{f': {where}' if where else ''}; {len(soft)} more at a natural end, such as 0 or the "
        "last of a list. At a limit is within 2 % of the domain's width, on the scale of "
        "sampling. Now and then a value comes to lie there by chance; the validity checklist says "
        "whether it is more than that."
    )


def _end(parameter: At) -> str:
    return {"low": "lower limit", "high": "upper limit"}[parameter["end"].value]


def _alone(fairness: At, arm: At) -> str:
    studies = plural(len(fairness["studies"]), "study", "studies")
    lost = _lost([arm]) or "no trial was lost"
    return (
        f"{arm['arm'].value} got {plural(arm['total'].value, 'trial')} in {studies}, of which "
        f"{count(arm['to_the_end'].value)} were trained to their end; {lost}"
    )


def _trials(fairness: At, arms: Sequence[At]) -> str:
    totals = [arm["total"].value for arm in arms]
    if len(set(totals)) > 1:
        return f"The arms did not get equally many trials: {_each(arms, totals)}"
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
    told = (
        f"the domains of {listing(apart)} differ between arms"
        if apart
        else f"the {plural(len(sampled), 'sampled parameter')} had the same domains"
    )
    return told + (f", but the arms differ in: {listing(other)}" if other else "")


def _epochs(arms: Sequence[At]) -> str:
    ran = [arm["epochs_run"].value for arm in arms]
    if len(arms) > _NAMED:
        return f"they ran {count(min(ran))} to {count(max(ran))} epochs each"
    return f"epochs run: {_each(arms, ran)}"


def _lost(arms: Sequence[At]) -> str:
    """Failed and out of memory alone: a divergence is an answer, if a bad one."""
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
