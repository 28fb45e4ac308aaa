"""Sentences of the chapter on results by class."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.formats import capped, count, listing, percent, plural, points, score, stated
from analysis.report.classes.schema import ClassArm, ClassDifference, ClassesPart, ClassPair


def lead(section: ClassesPart) -> str:
    """Classes with significant differences; of a single arm its best and its worst class."""
    if not section.arms:
        return "No results by class yet: no confirmation run has test predictions."
    pairs = section.pairs
    if not pairs:
        return _alone(section.arms[0])
    if pairs[0].classes[0].f1_p_holm.n < 2:
        return f"{capped(_largest(pairs[0]))}; single runs allow no significance test."
    if len(pairs) == 1:
        return f"{_of_pair(pairs[0])}{_of_all(section)}."
    return f"F1 by class, corrected over all pairs: {'; '.join(_shortly(pair) for pair in pairs)}."


def taken_for(arm: ClassArm) -> str:
    """An arm's most frequent confusions in one sentence."""
    name = arm.arm
    if not arm.confusions:
        return f"{name}: no confusions."
    confusions = listing(
        f"{row.true} as {row.answered} "
        f"({count(row.answers)} of {count(row.of)} predictions, "
        f"{percent(row.share)})"
        for row in arm.confusions
    )
    return f"{name} most often classifies {confusions}."


def _alone(arm: ClassArm) -> str:
    rows = sorted(arm.classes, key=lambda row: -row.f1.value)
    best, worst = rows[0], rows[-1]
    return (
        f"{arm.arm} recognises {best.class_} best (F1 "
        f"{score(best.f1.value)}) and {worst.class_} worst "
        f"({score(worst.f1.value)})."
    )


def _of_pair(pair: ClassPair) -> str:
    found = [row for row in pair.classes if "f1" in row.found]
    total = len(pair.classes)
    if not found:
        return f"F1 differs significantly in none of the {total} classes: {_largest(pair)}"
    ahead = [f"{name} has the higher F1 in {words}" for name, words in _sides(pair, found)]
    rest = total - len(found)
    others = f"; no significant difference in the other {plural(rest, 'class', 'classes')}"
    return f"{' and '.join(ahead)}{others if rest else ''}"


def _sides(pair: ClassPair, found: Sequence[ClassDifference]) -> list[tuple[str, str]]:
    """By arm that is significantly better anywhere, the classes and differences in points."""
    sides = []
    for name, sign in ((pair.first, 1), (pair.second, -1)):
        mine = sorted(((sign * row.f1.value, row.class_) for row in found), reverse=True)
        mine = [(gap, label) for gap, label in mine if gap > 0]
        if mine:
            gaps = listing(points(gap) for gap, _ in mine)
            sides.append((name, f"{listing(label for _, label in mine)} (by {gaps} points)"))
    return sides


def _largest(pair: ClassPair) -> str:
    row = max(pair.classes, key=lambda row: abs(row.f1.value))
    difference, p = row.f1.value, row.f1_p_holm.value
    first, second = pair.first, pair.second
    ahead, behind = (first, second) if difference >= 0 else (second, first)
    tested = "" if p is None else f" ({stated('p', p)} after Holm)"
    return (
        f"the largest difference is in {row.class_}, where {ahead} is "
        f"{points(abs(difference))} points of F1 above {behind}{tested}"
    )


def _shortly(pair: ClassPair) -> str:
    found = [row for row in pair.classes if "f1" in row.found]
    names = f"{pair.first} and {pair.second}"
    if not found:
        return f"{names} differ significantly in no class"
    ahead = [f"{name} is better in {words}" for name, words in _sides(pair, found)]
    return f"of {names}, {' and '.join(ahead)}"


def _of_all(section: ClassesPart) -> str:
    """A note on arms that are not compared."""
    rest = len(section.arms) - 2
    return f" (the two best arms; {plural(rest, 'other')} not compared)" if rest else ""
