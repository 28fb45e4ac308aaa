"""The verdict in words that claim no more than the design allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.formats import (
    capped,
    hours,
    listing,
    percent,
    plural,
    points,
    probability,
    stated,
    units,
)
from analysis.inputs.search import Search
from analysis.inputs.units import FAMILIES
from analysis.verdict.compare import POWER, Pair, Remedy, Step
from analysis.verdict.decision import MEANINGFUL


def sentence(pair: Pair, smallest_effect: float) -> str:
    """The verdict on one pair, in one sentence with its interval and scope."""
    if pair.kind == "not comparable":
        reasons = "; ".join(check.detail for check in pair.broken)
        return f"{pair.first} and {pair.second} are not comparable: {reasons}."
    assert pair.difference is not None and pair.superiority is not None
    a, b = _subjects(pair)
    gap, figures = points(pair.difference.value), _figures(pair)
    bound = points(smallest_effect)
    one = pair.scope == "families" or pair.unit == "seed"
    scores = "scores" if one else "score"
    if pair.kind == "better":
        verb = "is" if one else "are"
        text = f"{a} {verb} better than {b}, by {gap} points of test macro-F1 ({figures})"
    elif pair.kind == "inconclusive":
        text = (
            f"Inconclusive: {a} {scores} {gap} points of test macro-F1 above {b}, "
            f"but {_zero(pair)} ({figures})"
        )
    elif pair.difference.within(smallest_effect):
        text = (
            f"No relevant difference: {a} and {b} are within ±{bound} points of test macro-F1 "
            f"({figures})"
        )
    else:
        text = (
            f"A small difference: {a} {scores} {gap} points of test macro-F1 above {b}, "
            f"statistically significant but perhaps irrelevant ({figures})"
        )
    return f"{capped(text)}."


def scope_note(pair: Pair) -> str:
    """The scope of the verdict in one sentence."""
    if pair.scope == "families":
        return (
            f"Each arm was tuned in {plural(_n(pair), 'independent study', 'independent studies')}"
            " and the study is the unit, so the verdict is about the two families at this budget."
        )
    if pair.unit == "seed":
        return (
            "Each arm was tuned once and the seed is the unit, so the verdict is about the two "
            "configurations found, not about the two families."
        )
    return (
        f"Only {plural(_n(pair), 'study has', 'studies have')} a score in every arm, fewer than "
        f"{FAMILIES} or than planned, so the verdict is about the configurations found, not about "
        "the families. The study is still the unit, because seeds of one configuration are not "
        "independent."
    )


def remedy_note(remedy: Remedy, pair: Pair) -> str:
    """The sample size that an inconclusive pair requires, and its cost."""
    kind = units(pair.unit)
    parts = [_step(step, remedy, kind) for step in remedy.steps]
    return (
        f"Required {kind} per arm for {percent(POWER)} power at the observed spread "
        f"(now {remedy.have}): {'; '.join(parts)}."
    )


def _step(step: Step, remedy: Remedy, kind: str) -> str:
    gap = f"{points(step.effect)} points"
    if step.units is None or step.hours is None:
        return f"more than 1,000 to detect {gap}"
    more = step.units - remedy.have
    return (
        f"about {step.units} to detect {gap} ({more} more per arm, "
        f"about {hours(step.hours)} {remedy.resource}-hours)"
    )


def because(pair: Pair, smallest_effect: float) -> str:
    """The reason for the decision table's verdict."""
    assert pair.difference is not None and pair.superiority is not None
    gap, bound = _distinct(pair.difference.value, smallest_effect)
    chance = f"P({pair.first} > {pair.second}) = {_chance(pair.superiority.value)}"
    zero = _zero(pair)
    if pair.kind == "better":
        return (
            f"Because {zero}, {chance} reaches {MEANINGFUL}, and {gap} points "
            f"reach the smallest effect of interest, {bound}."
        )
    if pair.kind == "inconclusive":
        if pair.corrected:
            return f"Because {zero}, and the interval includes relevant differences."
        return f"Because {zero} and relevant differences, too."
    if pair.difference.within(smallest_effect):
        return f"Because the whole interval is within the smallest effect of interest, ±{bound}."
    short = [] if pair.difference.value >= smallest_effect else [f"{gap} points are below {bound}"]
    short += [] if pair.superiority.value >= MEANINGFUL else [f"{chance} is below {MEANINGFUL}"]
    return f"Because {zero}, but {listing(short)}."


def _zero(pair: Pair) -> str:
    """Whether zero is excluded, and by what."""
    covers = pair.kind == "inconclusive"
    if pair.corrected:
        p = stated("Holm's p", pair.p_holm)
        return f"{p} {'does not exclude' if covers else 'excludes'} zero"
    return f"the interval {'includes' if covers else 'excludes'} zero"


def _distinct(value: float, bound: float) -> tuple[str, str]:
    """Both in points, with enough decimals to differ."""
    if value != bound and points(value) == points(bound):
        return f"{100 * value:.3f}", f"{100 * bound:.3f}"
    return points(value), points(bound)


def _chance(value: float) -> str:
    """A probability that does not round onto the threshold from below."""
    near = value < MEANINGFUL <= float(f"{value:.2f}")
    return f"{value:.4f}" if near else probability(value)


def notes(pairs: Sequence[Pair], smallest_effect: float) -> tuple[str, ...]:
    """Notes on the verdict of a single pair: its reason, its scope, the required sample size."""
    if len(pairs) != 1:
        return ()
    pair = pairs[0]
    if pair.kind == "not comparable":
        return (without_verdict(pair),) if pair.difference is not None else ()
    remedy = (remedy_note(pair.remedy, pair),) if pair.remedy else ()
    return (because(pair, smallest_effect), scope_note(pair), *remedy)


def without_verdict(pair: Pair) -> str:
    """The numbers of a pair that may not be compared, marked as not a verdict."""
    assert pair.difference is not None
    low, high = points(pair.difference.low, sign=True), points(pair.difference.high, sign=True)
    interval = "" if pair.difference.low is None else f" (interval {low} to {high})"
    return (
        f"The score of {pair.first} is {points(pair.difference.value)} points higher{interval}; "
        "because of the failed checks this does not show which arm is better."
    )


def headline(search: Search, pairs: Sequence[Pair], smallest_effect: float) -> str:
    """The first sentence of the report, for any number of arms."""
    if not search.arms:
        return "No verdict: no trial has reported yet."
    if not pairs:
        return f"No verdict: {search.arms[0]} is the only arm, so there is nothing to compare."
    if len(pairs) == 1:
        return sentence(pairs[0], smallest_effect)
    kinds = Counter(pair.kind for pair in pairs)
    counts = listing(f"{number} {kind}" for kind, number in kinds.items())
    return f"{len(pairs)} pairwise comparisons of {len(search.arms)} arms: {counts}{_best(pairs)}."


def _best(pairs: Sequence[Pair]) -> str:
    better = [
        f"{pair.first} over {pair.second} by {points(pair.difference.value)} points"
        for pair in pairs
        if pair.kind == "better" and pair.difference is not None
    ]
    return f" ({listing(better)})" if better else ""


def _subjects(pair: Pair) -> tuple[str, str]:
    if pair.scope == "families":
        return f"the {pair.first} family", f"the {pair.second} family"
    kind = "configuration" if pair.unit == "seed" else "configurations"
    return f"the {pair.first} {kind} found", f"the {pair.second} {kind} found"


def _figures(pair: Pair) -> str:
    assert pair.difference is not None and pair.superiority is not None
    low, high = points(pair.difference.low, sign=True), points(pair.difference.high, sign=True)
    unit = "seed" if pair.unit == "seed" else "study"
    return (
        f"{100 * pair.difference.level:.3g} % interval {low} to {high}; "
        f"{plural(_n(pair), unit, 'studies' if unit == 'study' else '')} per arm; "
        f"P({pair.first} > {pair.second}) = {probability(pair.superiority.value)}"
    )


def _n(pair: Pair) -> int:
    assert pair.difference is not None
    return pair.difference.n
