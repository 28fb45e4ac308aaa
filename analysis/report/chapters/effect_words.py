"""What the chapter on the effect says in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.formats import MINUS, listing, plural, points, probability
from analysis.report.cursor import At, Form

_SHORT = {
    "bca": "the BCa bootstrap",
    "permutation": "the label permutation",
    "clean": "the score on clean pictures",
    "accuracy": "accuracy",
}


def lead(report: At) -> str:
    """The effect with its interval, and whether the second opinions agree."""
    scored = [arm["arm"].value for arm in report["arms"] if arm["test_macro_f1"]]
    pairs = [pair for pair in report["pairs"] if pair["difference"]]
    if not scored:
        return "There is no effect to report yet: nothing has been confirmed on the test split."
    if not report["pairs"]:
        return _alone(report)
    if not pairs:
        return (
            f"There is no difference to report yet: of the arms only {listing(scored)} "
            "has been confirmed on the test split."
        )
    if len(report["pairs"]) == 1:
        told = list(report["effect"]["pairs"][0]["opinions"])
        return f"{_gap(pairs[0])}{_opinions(told)}{_no_verdict(pairs[0])}."
    return _many(report, pairs)


def pair_name(pair: At) -> str:
    """``A - B``, with the sign in which the difference is given."""
    return f"{pair['first'].value} {MINUS} {pair['second'].value}"


def level(quantity: At) -> str:
    """Coverage of an interval, as written before it."""
    return f"{100 * quantity['level'].value:.3g} %"


def found(pair: At, smallest: float) -> tuple[str, ...]:
    """What the decision on a single pair looked at in each row of its table, in words."""
    difference, chance = pair["difference"], pair["superiority"]
    names = listing(pair["broken"].value)
    broken = f"does not hold: {names}" if names else "none is broken"
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
    """Second opinions that come to another answer than the headline."""
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
        f"{arm['arm'].value} is the only arm, so there is no effect; it scores "
        f"{score['value'].value:.3f} of test macro-F1{f' ({interval})' if interval else ''}."
    )


def _gap(pair: At) -> str:
    difference = pair["difference"]
    single = difference["n"].value == 1
    none = "no interval: a single unit" if single else "no interval: the scores show no spread"
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
    heard = [one for one in opinions[1:] if one["excludes_zero"].value is not None]
    if head is None:
        few = opinions[0]["estimate"]["n"].value == 1
        return "; from so few units there are no second opinions" if few else ""
    if not heard:
        return "; there are no second opinions"
    against = [_SHORT[one["id"].value] for one in dissent(opinions)]
    total = plural(len(heard), "second opinion")
    if not against and head:
        return f", and all {total} find a difference as well"
    if not against:
        return f", and none of {total} excludes zero either"
    verb = "does" if len(against) == 1 else "do"
    does = f"{verb} not find that" if head else f"{verb} exclude zero"
    return f", though of {total} {' and '.join(against)} {does}"


def _no_verdict(pair: At) -> str:
    broken = len(pair["broken"])
    checks = "a validity check is" if broken == 1 else f"{broken} validity checks are"
    return f"; {checks} broken, so this is no verdict" if broken else ""


def _many(report: At, pairs: Sequence[At]) -> str:
    told = [list(pair["opinions"]) for pair in report["effect"]["pairs"]]
    apart = sum(opinions[0]["excludes_zero"].value is True for opinions in told)
    against = sum(bool(dissent(opinions)) for opinions in told)
    widest = max(pairs, key=lambda pair: pair["difference"]["value"].value)
    agree = (
        f"in {plural(against, 'pair')} a second opinion disagrees"
        if against
        else "the second opinions agree in every pair"
    )
    total = len(report["pairs"])
    broken = sum(bool(pair["broken"]) for pair in report["pairs"])
    verb = "is" if broken == 1 else "are"
    none = f"; {broken} of {total} pairs {verb} not comparable, so that is no verdict there"
    return (
        f"Of {total} pairs of arms {apart} were found to differ (Holm); the widest "
        f"gap: {_gap(widest)}; {agree}{none if broken else ''}."
    )
