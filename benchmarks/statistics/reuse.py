"""False positives when a test split is read again: the tables of ``docs/statistics/test-split.md``.

python -m benchmarks.statistics.reuse
"""

from __future__ import annotations

from analysis.estimators.reuse import raised_seeds_rate, searches_rate

_LOOKS = ((5, 10), (10, 20), (5, 10, 20), (5, 6, 7, 8, 9, 10))
_STUDY_LOOKS = ((2, 4), (2, 5, 10))
_SEARCHES = (1, 2, 3, 5, 10, 20)
_SHIFTS = (0.0, 0.5, 1.0)


def tables() -> tuple[str, str]:
    """Markdown: looks with added seeds, and numbers of searches."""
    rows = [(1, looks) for looks in _LOOKS] + [(5, looks) for looks in _STUDY_LOOKS]
    raised = ["| R | seeds at each look | zero excluded |", "|---|---|---|"]
    for studies, looks in rows:
        rate = raised_seeds_rate(looks, studies)
        raised.append(f"| {studies} | {', '.join(map(str, looks))} | {100 * rate:.1f} |")
    heads = " | ".join(f"shift {shift:g}" for shift in _SHIFTS)
    searches = [f"| n | {heads} |", "|---" * (1 + len(_SHIFTS)) + "|"]
    for number in _SEARCHES:
        rates = " | ".join(f"{100 * searches_rate(number, 5, s):.1f}" for s in _SHIFTS)
        searches.append(f"| {number} | {rates} |")
    return "\n".join(raised), "\n".join(searches)


if __name__ == "__main__":
    print("\n\n".join(tables()))
