"""The decision table: from an interval and P(A > B) to one of four verdicts. Pure.

The first row that applies decides:

===============================================================  ==================
condition                                                        verdict
===============================================================  ==================
a validity check failed                                          ``not comparable``
the whole interval lies within +- the smallest effect            ``small``
the interval includes zero                                       ``inconclusive``
P(A > B) >= 0.75 and the estimate reaches the smallest effect    ``better``
otherwise                                                        ``small``
===============================================================  ==================

A is the arm with the higher mean. Source: Bouthillier et al., "Accounting for Variance in Machine
Learning Benchmarks", MLSys 2021 (the threshold 0.75); the second row is a test of equivalence by
interval inclusion (Schuirmann 1987).

The units of the interval, and so the scope of the verdict, are defined in
:mod:`analysis.inputs.units`: with at least five studies per arm the verdict is about the
*families*, with fewer about the *configurations* found. From two studies on the study is the unit,
because pooled seeds of several configurations would not be independent; with few studies the
interval is therefore wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.estimators.estimate import Estimate
from analysis.settings import SMALLEST_EFFECT

Kind = Literal["better", "small", "inconclusive", "not comparable"]
Scope = Literal["families", "configurations"]

#: P(A > B) from which a difference is called meaningful.
MEANINGFUL = 0.75


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table as applied; ``fits`` marks the one that decided."""

    condition: str
    verdict: Kind
    fits: bool


def decide(
    *,
    broken: bool,
    difference: Estimate,
    superiority: float,
    smallest_effect: float = SMALLEST_EFFECT,
    significant: bool | None = None,
    corrected: bool = False,
) -> tuple[Kind, tuple[Row, ...]]:
    """The verdict and the table with its deciding row marked.

    Args:
        broken: whether any validity check failed.
        difference: mean(A) - mean(B) >= 0 with interval, in [0, 1]. An interval may be missing
            only when a check failed.
        superiority: P(A > B), in [0, 1].
        smallest_effect: of interest, in the unit of ``difference`` (> 0).
        significant: whether zero is excluded; by default whether the interval excludes it.
            Several comparisons pass Holm's decision instead.
        corrected: whether ``significant`` is Holm's decision, which the table then names.
    """
    assert smallest_effect > 0, "the smallest effect of interest is positive"
    assert difference.value >= 0, "A is the arm with the higher mean"
    if not broken:
        assert difference.low is not None, "without an interval a check must have failed"
    excluded = difference.covers(0.0) is False if significant is None else significant
    tests: tuple[tuple[str, Kind, bool], ...] = (
        ("a validity check failed", "not comparable", broken),
        (
            "the whole interval is within ± the smallest effect",
            "small",
            difference.within(smallest_effect) is True,
        ),
        (
            "Holm's p does not exclude zero" if corrected else "the interval includes zero",
            "inconclusive",
            not excluded,
        ),
        (
            f"P(A > B) ≥ {MEANINGFUL} and the estimate reaches the smallest effect",
            "better",
            superiority >= MEANINGFUL and difference.value >= smallest_effect,
        ),
        ("otherwise", "small", True),
    )
    first = next(number for number, (_, _, holds) in enumerate(tests) if holds)
    rows = tuple(
        Row(condition=condition, verdict=kind, fits=number == first)
        for number, (condition, kind, _) in enumerate(tests)
    )
    return tests[first][1], rows
