"""Tables on pairs of arms: opinions, the decision, and what would settle it."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import formats
from analysis.formats import MINUS, capped, listing, points
from analysis.report.blocks import Row, Table, columns, text
from analysis.report.chapters.effect_words import found, level, pair_name
from analysis.report.cursor import At

_ANSWERS = {True: "yes", False: "no", None: "cannot say"}


def signed(value: float | None) -> str:
    """A difference in points with its sign."""
    return points(value, sign=True)


def opinions(report: At) -> Table:
    """Every opinion on every pair, and the probability that one unit beats another."""
    many = len(report["pairs"]) > 1
    rows = [
        row
        for pair, told in zip(report["pairs"], report["effect"]["pairs"], strict=True)
        if pair["difference"]
        for row in _opinion_rows(pair, told, many)
    ]
    at = _level(report)
    small = [f"in small print the interval at {at}"] if at else []
    small += ["p after Holm over all pairs"] if many else []
    numeric = ("difference, points", "p")
    return Table(
        name="effect-all-opinions" if many else "effect-opinions-table",
        label="Second opinions on the difference",
        columns=columns(
            *(("pair",) if many else ()), "opinion", *numeric, "zero excluded", numeric=numeric
        ),
        rows=tuple(rows),
        caption=f"{capped('; '.join(small))}{'. ' if small else ''}The opinions decide nothing. "
        "P(A > B) is the probability that a "
        f"unit ({report['search']['unit'].value}) of A scores above one of B.",
        tall=len(rows) > 24,
    )


def _level(report: At) -> str:
    """Coverage of the differences' intervals; empty where no pair has an interval."""
    told = [pair["difference"] for pair in report["pairs"] if pair["difference"]]
    return next((level(one) for one in told if one["level"].value is not None), "")


def _opinion_rows(pair: At, told: At, many: bool) -> list[Row]:
    head = (text(pair_name(pair)),) if many else ()
    rows = [
        Row(
            cells=(
                *head,
                text(one["name"].value),
                one["estimate"].estimate(signed),
                one["p_holm" if many else "p_value"].estimate(
                    formats.probability, small=_least(one)
                ),
                text(_ANSWERS[one["excludes_zero"].value]),
            ),
            strong=one["id"].value == "welch",
        )
        for one in told["opinions"]
    ]
    chance = pair["superiority"]
    name = f"P({pair['first'].value} > {pair['second'].value})"
    return [
        *rows,
        Row(cells=(*head, text(name), chance.estimate(formats.probability), text(""), text(""))),
    ]


def _least(opinion: At) -> str:
    if opinion["excludes_zero"].value is not None or not opinion["least"]:
        return ""
    return f"{formats.probability(opinion['least']['value'].value)} is the least possible"


def decision(report: At, pair: At) -> Table:
    """The decision table as it was applied to one pair."""
    smallest = report["verdict"]["smallest_effect"]["value"].value
    rows, decided = [], False
    for row, told in zip(pair["table"], found(pair, smallest), strict=True):
        fits = bool(row["fits"].value)
        answer = "✓ decides" if fits else "not reached" if decided else "no"
        decided = decided or fits
        rows.append(
            Row(
                cells=tuple(
                    text(w) for w in (row["condition"].value, told, answer, row["verdict"].value)
                ),
                strong=fits,
            )
        )
    return Table(
        name="effect-decision",
        label="The decision table as it was applied",
        columns=columns("condition, in order", "found", "holds", "verdict"),
        rows=tuple(rows),
        caption="The first row that holds decides; A is the arm with the higher mean.",
    )


def decisions(pairs: Sequence[At]) -> Table:
    """The decision table once, with the pairs that each row decided."""
    tables = [(pair, list(pair["table"])) for pair in pairs if pair["table"]]
    rows = []
    for number, row in enumerate(tables[0][1]):
        mine = [pair_name(pair) for pair, table in tables if table[number]["fits"].value]
        cells = (row["condition"].value, row["verdict"].value, listing(mine) or "none")
        rows.append(Row(cells=tuple(map(text, cells)), strong=bool(mine)))
    return Table(
        name="effect-decision",
        label="The decision table as it was applied",
        columns=columns("condition, in order", "verdict", "decided by it"),
        rows=tuple(rows),
        caption="The first row that holds decides; A is the arm with the higher mean.",
    )


def pairs(report: At) -> Table:
    """Every pair: difference, probability, p-values, verdict and why."""
    numeric = ("difference, points", "P(A > B)", "p", "p, Holm")
    rows = [
        Row(
            cells=(
                text(pair_name(pair)),
                pair["difference"].estimate(signed),
                pair["superiority"].estimate(formats.probability),
                pair["p_value"].estimate(formats.probability),
                pair["p_holm"].estimate(formats.probability),
                text(pair["verdict"].value),
                text(_why(pair, told)),
            ),
            strong=pair["verdict"].value == "better",
        )
        for pair, told in zip(report["pairs"], report["effect"]["pairs"], strict=True)
    ]
    at = _level(report)
    joint = f" at {at}, so that all cover jointly at 95 %" if at else ""
    return Table(
        name="effect-pairs",
        label="Every pair of arms",
        columns=columns(f"pair, A {MINUS} B", *numeric, "verdict", "why", numeric=numeric),
        rows=tuple(rows),
        caption=f"Intervals of differences{joint}; those of P(A > B) at 95 % each.",
    )


def _why(pair: At, told: At) -> str:
    if told["because"]:
        return str(told["because"].value)
    return f"Because this does not hold: {listing(pair['broken'].value)}."


def remedies(report: At) -> Table | None:
    """What would settle the pairs that are inconclusive."""
    entries = [pair for pair in report["pairs"] if pair["remedy"]]
    if not entries:
        return None
    remedy = entries[0]["remedy"]
    of, resource = remedy["of"].value, remedy["resource"].value
    numeric = (
        "to find, points",
        f"{of} per arm now",
        f"{of} per arm needed",
        f"more {resource}-hours",
    )
    rows = [
        Row(
            cells=(
                text(pair_name(pair)),
                step["effect"].cell(points),
                pair["remedy"]["units_now"].cell(formats.count),
                step["units_per_arm"].cell(formats.count),
                step["more_hours"].cell(formats.hours),
            )
        )
        for pair in entries
        for step in pair["remedy"]["steps"]
    ]
    power = formats.percent(remedy["power"].value)
    return Table(
        name="effect-remedies",
        label="What would settle it",
        columns=columns("pair", *numeric, numeric=numeric),
        rows=tuple(rows),
        caption=f"Fewest {of} with which a t test at the spread seen finds such a difference with "
        f"{power} power; a dash: more than 1,000.",
        tall=len(rows) > 12,
    )
