"""Sentences of the chapter on the effect."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.formats import listing, plural, points, probability
from analysis.report.presentation.cursor import At, Form

_SHORT = {
    "bca": "the BCa bootstrap",
    "permutation": "the permutation test",
    "clean": "the score on clean pictures",
    "accuracy": "accuracy",
}


def lead(report: At) -> str:
    """The effect with its interval, and whether the alternative analyses agree."""
    scored = [arm["arm"].value for arm in report["arms"] if arm["test_macro_f1"]]
    pairs = [pair for pair in report["pairs"] if pair["difference"]]
    if not scored:
        return "No effect yet: no configuration has been confirmed on the test split."
    if not report["pairs"]:
        return _alone(report)
    if not pairs:
        return (
            f"No difference yet: of the arms only {listing(scored)} has been confirmed on the "
            "test split."
        )
    if len(report["pairs"]) == 1:
        analyses = list(report["effect"]["pairs"][0]["opinions"])
        return f"{_gap(pairs[0])}{_opinions(analyses)}{_no_verdict(pairs[0])}."
    return _many(report, pairs)


def level(quantity: At) -> str:
    """Nominal coverage of an interval, such as ``95 %``."""
    return f"{100 * quantity['level'].value:.3g} %"


def found(pair: At, smallest: float) -> tuple[str, ...]:
    """The observations behind each row of a pair's decision table, in words."""
    difference, chance = pair["difference"], pair["superiority"]
    names = listing(pair["broken"].value)
    broken = f"failed: {names}" if names else "none failed"
    ends = _interval(difference) or "no interval"
    bound = points(smallest)
    return (
        broken,
        f"{ends}; ±{bound}",
        ends,
        f"P = {probability(chance['value'].value)}; {points(difference['value'].value)} points "
        f"against {bound}",
        "",
    )


def dissent(opinions: Sequence[At]) -> list[At]:
    """Alternative analyses that disagree with the verdict's on whether zero is excluded."""
    head = opinions[0]
    return [
        one
        for one in opinions[1:]
        if one["excludes_zero"].value is not None
        and (
            one["excludes_zero"].value != head["excludes_zero"].value
            or (one["excludes_zero"].value and one["estimate"]["value"].value < 0)
        )
    ]


def _alone(report: At) -> str:
    arm = report["arms"][0]
    score = arm["test_macro_f1"]
    interval = _interval(score, form=lambda v: f"{v:.3f}")
    return (
        f"{arm['arm'].value} is the only arm, so there is no effect; its test macro-F1 is "
        f"{score['value'].value:.3f}{f' ({interval})' if interval else ''}."
    )


def _gap(pair: At) -> str:
    difference = pair["difference"]
    single = difference["n"].value == 1
    none = "no interval: a single unit" if single else "no interval: the scores do not vary"
    interval = _interval(difference) or none
    return (
        f"{pair['first'].value} scores {points(difference['value'].value)} points of test "
        f"macro-F1 above {pair['second'].value} ({interval})"
    )


def _interval(quantity: At, form: Form | None = None) -> str:
    """``95 % interval +4.3 to +5.6``; empty where there is none."""
    if quantity["low"].value is None:
        return ""
    low, high = (
        points(quantity[end].value, sign=True) if form is None else form(quantity[end].value)
        for end in ("low", "high")
    )
    return f"{level(quantity)} interval {low} to {high}"


def _opinions(opinions: Sequence[At]) -> str:
    head = opinions[0]["excludes_zero"].value
    known = [one for one in opinions[1:] if one["excludes_zero"].value is not None]
    if head is None:
        few = opinions[0]["estimate"]["n"].value == 1
        return "; with so few units there are no alternative analyses" if few else ""
    if not known:
        return "; there are no alternative analyses"
    against = [_SHORT[one["id"].value] for one in dissent(opinions)]
    total = plural(len(known), "alternative analysis", "alternative analyses")
    if not against and head:
        return f", and all {total} also find a difference"
    if not against:
        return f", and none of {total} excludes zero either"
    verb = "does" if len(against) == 1 else "do"
    does = f"{verb} not exclude zero" if head else f"{verb} exclude zero"
    return f", but of {total} {' and '.join(against)} {does}"


def _no_verdict(pair: At) -> str:
    broken = len(pair["broken"])
    checks = "a validity check" if broken == 1 else f"{broken} validity checks"
    return f"; {checks} failed, so this is not a verdict" if broken else ""


def _many(report: At, pairs: Sequence[At]) -> str:
    analyses = [list(pair["opinions"]) for pair in report["effect"]["pairs"]]
    apart = sum(opinions[0]["excludes_zero"].value is True for opinions in analyses)
    against = sum(bool(dissent(opinions)) for opinions in analyses)
    widest = max(pairs, key=lambda pair: pair["difference"]["value"].value)
    agree = (
        f"in {plural(against, 'pair')} an alternative analysis disagrees"
        if against
        else "the alternative analyses agree in every pair"
    )
    total = len(report["pairs"])
    broken = sum(bool(pair["broken"]) for pair in report["pairs"])
    verb = "is" if broken == 1 else "are"
    none = f"; {broken} of {total} pairs {verb} not comparable and without a verdict"
    return (
        f"Of {total} pairs of arms {apart} differ significantly (Holm); the largest difference: "
        f"{_gap(widest)}; {agree}{none if broken else ''}."
    )
