"""What the chapter on classes says in words."""

from __future__ import annotations

from analysis.formats import capped, count, listing, percent, plural, points, score, stated
from analysis.report.cursor import At


def lead(section: At) -> str:
    """Which classes were found to differ; of a single arm its best and its worst class."""
    if not section["arms"]:
        return "Nothing is known by class yet: no confirmation run has answered the test pictures."
    pairs = list(section["pairs"])
    if not pairs:
        return _alone(section["arms"][0])
    if pairs[0]["classes"][0]["f1_p_holm"]["n"].value < 2:
        return f"{capped(_largest(pairs[0]))}; a single run per arm cannot tell that from chance."
    if len(pairs) == 1:
        return f"{_of_pair(pairs[0])}{_of_all(section)}."
    return f"F1 by class, of all pairs at once: {'; '.join(_shortly(pair) for pair in pairs)}."


def taken_for(arm: At) -> str:
    """An arm's most frequent confusions in one sentence."""
    name = arm["arm"].value
    if not arm["confusions"]:
        return f"{name} confused nothing."
    told = listing(
        f"{row['true'].value} for {row['answered'].value} "
        f"({count(row['answers'].value)} of {count(row['of'].value)} answers, "
        f"{percent(row['share'].value)})"
        for row in arm["confusions"]
    )
    return f"{name} most often takes {told}."


def _alone(arm: At) -> str:
    rows = sorted(arm["classes"], key=lambda row: -row["f1"]["value"].value)
    best, worst = rows[0], rows[-1]
    return (
        f"{arm['arm'].value} recognises {best['class'].value} best (F1 "
        f"{score(best['f1']['value'].value)}) and {worst['class'].value} worst "
        f"({score(worst['f1']['value'].value)})."
    )


def _of_pair(pair: At) -> str:
    found = [row for row in pair["classes"] if "f1" in row["found"].value]
    total = len(pair["classes"])
    if not found:
        return f"F1 was found to differ in none of the {total} classes: {_largest(pair)}"
    ahead = [f"{name} has the higher F1 in {words}" for name, words in _sides(pair, found)]
    rest = total - len(found)
    others = f"; in the other {plural(rest, 'class', 'classes')} no difference was found"
    return f"{' and '.join(ahead)}{others if rest else ''}"


def _sides(pair: At, found: list[At]) -> list[tuple[str, str]]:
    """By arm that was found ahead anywhere, the classes and by how many points."""
    sides = []
    for name, sign in ((pair["first"].value, 1), (pair["second"].value, -1)):
        mine = sorted(
            ((sign * row["f1"]["value"].value, row["class"].value) for row in found), reverse=True
        )
        mine = [(gap, label) for gap, label in mine if gap > 0]
        if mine:
            gaps = listing(points(gap) for gap, _ in mine)
            sides.append((name, f"{listing(label for _, label in mine)} (by {gaps} points)"))
    return sides


def _largest(pair: At) -> str:
    row = max(pair["classes"], key=lambda row: abs(row["f1"]["value"].value))
    difference, p = row["f1"]["value"].value, row["f1_p_holm"]["value"].value
    first, second = pair["first"].value, pair["second"].value
    ahead, behind = (first, second) if difference >= 0 else (second, first)
    tested = "" if p is None else f" ({stated('p', p)} after Holm)"
    return (
        f"the largest difference is in {row['class'].value}, where {ahead} stands "
        f"{points(abs(difference))} points of F1 above {behind}{tested}"
    )


def _shortly(pair: At) -> str:
    found = [row for row in pair["classes"] if "f1" in row["found"].value]
    names = f"{pair['first'].value} and {pair['second'].value}"
    if not found:
        return f"between {names} no class was found to differ"
    ahead = [f"{name} ahead in {words}" for name, words in _sides(pair, found)]
    return f"between {names}, {' and '.join(ahead)}"


def _of_all(section: At) -> str:
    """Where more arms stand beside the pair that is compared."""
    rest = len(section["arms"]) - 2
    return f" (the two arms ahead; {plural(rest, 'other')} not compared)" if rest else ""
