"""Summaries of a report for the command line: plain text, no colours.

Reports here have names in readable form (:func:`analysis.report.reading.typed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from analysis.formats import NOTHING, hours, listing, millions, points, probability, score
from analysis.report.schema import Arm, Pair, Report
from analysis.report.values import Quantity

_WIDTH = 96
#: Short names: the page uses the full ones, but columns here must be narrow.
_FLOORS = {"majority": "majority class", "logistic_regression": "logistic regression"}


def summary_text(report: Report) -> str:
    """Verdict, arms and floors, trials by state; lines of at most 96 characters."""
    blocks = _verdict(report)
    if report.arms:
        blocks += [table(_arm_rows(report)), _endings(report)]
    return "\n\n".join(blocks)


def rank_text(report: Report) -> str:
    """Verdict, arms from best to worst, pairwise differences; lines of at most 96 characters."""
    blocks = _verdict(report)
    if report.arms:
        blocks.append(table(_arm_rows(report, ranked=True)))
    if report.pairs:
        rows = [["difference", "points", "interval", "P(first > second)", "p (Holm)", "verdict"]]
        blocks.append(table([*rows, *(_pair_row(pair) for pair in report.pairs)]))
    return "\n\n".join(blocks)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Cells in columns as wide as their widest, two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def paragraph(text: str, bullet: str = "") -> str:
    """``text`` in lines of at most 96 characters, the first after ``bullet``."""
    inset = " " * len(bullet)
    return "\n".join(wrap(text, _WIDTH, initial_indent=bullet, subsequent_indent=inset))


def interval(quantity: Quantity | None) -> str:
    """``0.646 [0.639, 0.653]`` of a score, or a dash."""
    if quantity is None or quantity.value is None:
        return NOTHING
    ends = f" [{score(quantity.low)}, {score(quantity.high)}]"
    return f"{score(quantity.value)}{ends if quantity.low is not None else ''}"


def _verdict(report: Report) -> list[str]:
    verdict = report.verdict
    blocks = [f"VERDICT: {verdict.chip}"]
    blocks += [paragraph(text) for text in (verdict.sentence, *verdict.notes)]
    if verdict.cautions:
        warnings = [paragraph(text, "  - ") for text in verdict.cautions]
        blocks.append("\n".join(["Warnings:", *warnings]))
    return blocks


def _arm_rows(report: Report, *, ranked: bool = False) -> list[list[str]]:
    accelerated = _spent(report.arms, accelerated=True) > 0
    heading = "accel. hours" if accelerated else "CPU hours"
    scores = ["test macro-F1", "clean", "best val."]
    rows = [["", *scores, "trials", heading, "parameters"]]
    arms = sorted(report.arms, key=_rank) if ranked else report.arms
    rows += [
        [
            arm.arm,
            interval(arm.test_macro_f1),
            _value(arm.test_clean_macro_f1),
            _value(arm.best_validation),
            str(arm.trials.total),
            hours(_spent([arm], accelerated=accelerated)),
            millions(arm.parameters),
        ]
        for arm in arms
    ]
    rows += [
        [
            _FLOORS[floor.floor],
            interval(floor.test_macro_f1),
            _value(floor.test_clean_macro_f1),
            *[""] * 4,
        ]
        for floor in report.floors
    ]
    return rows


def _rank(arm: Arm) -> float:
    return -arm.test_macro_f1.value if arm.test_macro_f1 else 0.0


def _value(quantity: Quantity | None) -> str:
    return score(quantity.value if quantity else None)


def _pair_row(pair: Pair) -> list[str]:
    gap, chance = pair.difference, pair.superiority
    ends = NOTHING
    if gap and gap.low is not None:
        ends = f"{points(gap.low, sign=True)} to {points(gap.high, sign=True)}"
    return [
        f"{pair.first} - {pair.second}",
        points(gap.value if gap else None, sign=True),
        ends,
        probability(chance.value if chance else None),
        probability(pair.p_holm.value),
        pair.verdict,
    ]


def _spent(arms: Sequence[Arm], *, accelerated: bool) -> float:
    """Hours of search and confirmation together."""
    phases = (phase for arm in arms for phase in (arm.cost.search, arm.cost.confirmation))
    return sum(
        (phase.accelerator_hours if accelerated else phase.cpu_hours).value for phase in phases
    )


def _endings(report: Report) -> str:
    lines = []
    for arm in report.arms:
        epochs = arm.epochs
        states = listing(f"{n} {state}" for state, n in arm.trials.by_state.items() if n)
        lines.append(
            f"{arm.arm}: {states or 'no trial has ended'}; "
            f"{epochs.run:,} of {epochs.allowed:,} epochs run"
        )
    return "\n".join(paragraph(line) for line in lines)
