"""Sentences of the chapter on the effect."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.formats import listing, plural, points, probability
from analysis.report.effect.schema import Opinion
from analysis.report.presentation.cells import Form
from analysis.report.schema import Pair, Report
from analysis.report.values import Known, Quantity

_SHORT = {
    "bca": "the BCa bootstrap",
    "permutation": "the permutation test",
    "clean": "the score on clean pictures",
    "accuracy": "accuracy",
}


def lead(report: Report) -> str:
    """The effect with its interval, and whether the alternative analyses agree."""
    scored = [arm.arm for arm in report.arms if arm.test_macro_f1]
    pairs = [(pair, pair.difference) for pair in report.pairs if pair.difference]
    if not scored:
        return "No effect yet: no configuration has been confirmed on the test split."
    if not report.pairs:
        return _alone(report)
    if not pairs:
        return (
            f"No difference yet: of the arms only {listing(scored)} has been confirmed on the "
            "test split."
        )
    if len(report.pairs) == 1:
        analyses = report.effect.pairs[0].opinions
        return f"{_gap(*pairs[0])}{_opinions(analyses)}{_no_verdict(pairs[0][0])}."
    return _many(report, pairs)


def level(quantity: Quantity) -> str:
    """Nominal coverage of an interval, such as ``95 %``."""
    assert quantity.level is not None, "an interval has a level"
    return f"{100 * quantity.level:.3g} %"


def found(pair: Pair, smallest: float) -> tuple[str, ...]:
    """The observations behind each row of a pair's decision table, in words."""
    difference, chance = pair.difference, pair.superiority
    assert difference is not None and chance is not None, "a decision needs scores"
    names = listing(pair.broken)
    broken = f"failed: {names}" if names else "none failed"
    ends = _interval(difference) or "no interval"
    bound = points(smallest)
    return (
        broken,
        f"{ends}; ±{bound}",
        ends,
        f"P = {probability(chance.value)}; {points(difference.value)} points against {bound}",
        "",
    )


def dissent(opinions: Sequence[Opinion]) -> list[Opinion]:
    """Alternative analyses that disagree with the verdict's on whether zero is excluded."""
    head = opinions[0]
    return [
        one
        for one in opinions[1:]
        if one.excludes_zero is not None
        and (
            one.excludes_zero != head.excludes_zero
            or (one.excludes_zero and one.estimate is not None and one.estimate.value < 0)
        )
    ]


def _alone(report: Report) -> str:
    arm = report.arms[0]
    score = arm.test_macro_f1
    assert score is not None, "the only arm has a score"
    interval = _interval(score, form=lambda v: f"{v:.3f}")
    return (
        f"{arm.arm} is the only arm, so there is no effect; its test macro-F1 is "
        f"{score.value:.3f}{f' ({interval})' if interval else ''}."
    )


def _gap(pair: Pair, difference: Known) -> str:
    single = difference.n == 1
    none = "no interval: a single unit" if single else "no interval: the scores do not vary"
    interval = _interval(difference) or none
    return (
        f"{pair.first} scores {points(difference.value)} points of test "
        f"macro-F1 above {pair.second} ({interval})"
    )


def _interval(quantity: Quantity, form: Form | None = None) -> str:
    """``95 % interval +4.3 to +5.6``; empty where there is none."""
    if quantity.low is None:
        return ""
    low, high = (
        points(end, sign=True) if form is None else form(end)
        for end in (quantity.low, quantity.high)
    )
    return f"{level(quantity)} interval {low} to {high}"


def _opinions(opinions: Sequence[Opinion]) -> str:
    head, estimate = opinions[0].excludes_zero, opinions[0].estimate
    known = [one for one in opinions[1:] if one.excludes_zero is not None]
    if head is None:
        few = estimate is not None and estimate.n == 1
        return "; with so few units there are no alternative analyses" if few else ""
    if not known:
        return "; there are no alternative analyses"
    against = [_SHORT[one.id] for one in dissent(opinions)]
    total = plural(len(known), "alternative analysis", "alternative analyses")
    if not against and head:
        return f", and all {total} also find a difference"
    if not against:
        return f", and none of {total} excludes zero either"
    verb = "does" if len(against) == 1 else "do"
    does = f"{verb} not exclude zero" if head else f"{verb} exclude zero"
    return f", but of {total} {' and '.join(against)} {does}"


def _no_verdict(pair: Pair) -> str:
    broken = len(pair.broken)
    checks = "a validity check" if broken == 1 else f"{broken} validity checks"
    return f"; {checks} failed, so this is not a verdict" if broken else ""


def _many(report: Report, pairs: Sequence[tuple[Pair, Known]]) -> str:
    analyses = [pair.opinions for pair in report.effect.pairs]
    apart = sum(opinions[0].excludes_zero is True for opinions in analyses)
    against = sum(bool(dissent(opinions)) for opinions in analyses)
    widest = max(pairs, key=lambda found: found[1].value)
    agree = (
        f"in {plural(against, 'pair')} an alternative analysis disagrees"
        if against
        else "the alternative analyses agree in every pair"
    )
    total = len(report.pairs)
    broken = sum(bool(pair.broken) for pair in report.pairs)
    verb = "is" if broken == 1 else "are"
    none = f"; {broken} of {total} pairs {verb} not comparable and without a verdict"
    return (
        f"Of {total} pairs of arms {apart} differ significantly (Holm); the largest difference: "
        f"{_gap(*widest)}; {agree}{none if broken else ''}."
    )
