"""Tables of pairs of arms: analyses of the difference, the decision, required sample sizes."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import formats
from analysis.formats import MINUS, capped, listing, points
from analysis.report.effect.schema import EffectPair, Opinion
from analysis.report.effect.words import found, level
from analysis.report.presentation.blocks import Row, Table, columns, text
from analysis.report.presentation.cells import cell, estimate, pair_name
from analysis.report.schema import Pair, Report

_ANSWERS = {True: "yes", False: "no", None: "unknown"}


def opinions(report: Report) -> Table:
    """Every analysis of every pair, and the probability that a unit scores above another."""
    many = len(report.pairs) > 1
    rows = [
        row
        for pair, more in zip(report.pairs, report.effect.pairs, strict=True)
        if pair.difference
        for row in _opinion_rows(pair, more.opinions, many)
    ]
    at = _level(report)
    small = [f"small print: intervals at {at}"] if at else []
    small += ["p adjusted by Holm over all pairs"] if many else []
    numeric = ("difference, points", "p")
    return Table(
        name="effect-all-opinions" if many else "effect-opinions-table",
        label="Analyses of the difference",
        columns=columns(
            *(("pair",) if many else ()), "analysis", *numeric, "zero excluded", numeric=numeric
        ),
        rows=tuple(rows),
        caption=f"{capped('; '.join(small))}{'. ' if small else ''}The alternative analyses do "
        "not affect the verdict. P(A > B) is the probability that a unit "
        f"({report.search.unit}) of A scores above one of B.",
        tall=len(rows) > 24,
    )


def _level(report: Report) -> str:
    """Coverage of the differences' intervals; empty where no pair has an interval."""
    gaps = [pair.difference for pair in report.pairs if pair.difference]
    return next((level(gap) for gap in gaps if gap.level is not None), "")


def _opinion_rows(pair: Pair, opinions: Sequence[Opinion], many: bool) -> list[Row]:
    head = (text(pair_name(pair)),) if many else ()
    rows = [
        Row(
            cells=(
                *head,
                text(one.name),
                estimate(one.estimate, formats.signed_points),
                estimate(
                    one.p_holm if many else one.p_value, formats.probability, small=_least(one)
                ),
                text(_ANSWERS[one.excludes_zero]),
            ),
            strong=one.id == "welch",
        )
        for one in opinions
    ]
    chance = pair.superiority
    name = f"P({pair.first} > {pair.second})"
    return [
        *rows,
        Row(cells=(*head, text(name), estimate(chance, formats.probability), text(""), text(""))),
    ]


def _least(opinion: Opinion) -> str:
    if opinion.excludes_zero is not None or not opinion.least:
        return ""
    return f"{formats.probability(opinion.least.value)} is the smallest possible"


def decision(report: Report, pair: Pair) -> Table:
    """The decision table as applied to one pair."""
    smallest = report.verdict.smallest_effect.value
    rows, decided = [], False
    for row, observed in zip(pair.table, found(pair, smallest), strict=True):
        fits = bool(row.fits)
        answer = "✓ decides" if fits else "not reached" if decided else "no"
        decided = decided or fits
        rows.append(
            Row(
                cells=tuple(text(w) for w in (row.condition, observed, answer, row.verdict)),
                strong=fits,
            )
        )
    return Table(
        name="effect-decision",
        label="Decision table as applied",
        columns=columns("condition, in order", "observed", "met", "verdict"),
        rows=tuple(rows),
        caption="The first condition that is met decides; A is the arm with the higher mean.",
    )


def decisions(pairs: Sequence[Pair]) -> Table:
    """One decision table, with the pairs that each row decided."""
    tables = [(pair, pair.table) for pair in pairs if pair.table]
    rows = []
    for number, row in enumerate(tables[0][1]):
        mine = [pair_name(pair) for pair, table in tables if table[number].fits]
        cells = (row.condition, row.verdict, listing(mine) or "none")
        rows.append(Row(cells=tuple(map(text, cells)), strong=bool(mine)))
    return Table(
        name="effect-decision",
        label="Decision table as applied",
        columns=columns("condition, in order", "verdict", "decided pairs"),
        rows=tuple(rows),
        caption="The first condition that is met decides; A is the arm with the higher mean.",
    )


def pairs(report: Report) -> Table:
    """Every pair: difference, probability, p-values, verdict and reason."""
    numeric = ("difference, points", "P(A > B)", "p", "p, Holm")
    rows = [
        Row(
            cells=(
                text(pair_name(pair)),
                estimate(pair.difference, formats.signed_points),
                estimate(pair.superiority, formats.probability),
                estimate(pair.p_value, formats.probability),
                estimate(pair.p_holm, formats.probability),
                text(pair.verdict),
                text(_reason(pair, more)),
            ),
            strong=pair.verdict == "better",
        )
        for pair, more in zip(report.pairs, report.effect.pairs, strict=True)
    ]
    at = _level(report)
    joint = f" at {at} each, so that they cover jointly at 95 %" if at else ""
    return Table(
        name="effect-pairs",
        label="Pairwise comparisons",
        columns=columns(f"pair, A {MINUS} B", *numeric, "verdict", "reason", numeric=numeric),
        rows=tuple(rows),
        caption=f"Intervals of differences{joint}; those of P(A > B) at 95 % each.",
    )


def _reason(pair: Pair, more: EffectPair) -> str:
    if more.because:
        return str(more.because)
    return f"Failed checks: {listing(pair.broken)}."


def remedies(report: Report) -> Table | None:
    """The sample sizes that inconclusive pairs require."""
    entries = [(pair, pair.remedy) for pair in report.pairs if pair.remedy]
    if not entries:
        return None
    _, remedy = entries[0]
    of, resource = remedy.of, remedy.resource
    numeric = (
        "effect, points",
        f"{of} per arm now",
        f"{of} per arm required",
        f"additional {resource}-hours",
    )
    rows = [
        Row(
            cells=(
                text(pair_name(pair)),
                cell(step.effect, points),
                cell(mine.units_now, formats.count),
                cell(step.units_per_arm, formats.count),
                cell(step.more_hours, formats.hours),
            )
        )
        for pair, mine in entries
        for step in mine.steps
    ]
    power = formats.percent(remedy.power)
    return Table(
        name="effect-remedies",
        label="Required sample size",
        columns=columns("pair", *numeric, numeric=numeric),
        rows=tuple(rows),
        caption=f"Fewest {of} with which a t test at the observed spread detects the effect with "
        f"{power} power; a dash: more than 1,000.",
        tall=len(rows) > 12,
    )
