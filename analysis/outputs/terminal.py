"""Summaries of report.json for the command line: plain text, no colours."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from analysis.formats import NOTHING, hours, listing, millions, points, probability, score
from fer_tune.escaping import readable

_WIDTH = 96
#: Short names: the page uses the full ones, but columns here must be narrow.
_FLOORS = {"majority": "majority class", "logistic_regression": "logistic regression"}


def summary_text(report: dict[str, Any]) -> str:
    """Verdict, arms and floors, trials by state; lines of at most 96 characters.

    Args:
        report: the content of report.json.
    """
    report = readable(report)
    blocks = _verdict(report)
    if report["arms"]:
        blocks += [table(_arm_rows(report)), _endings(report)]
    return "\n\n".join(blocks)


def rank_text(report: dict[str, Any]) -> str:
    """Verdict, arms from best to worst, pairwise differences; lines of at most 96 characters."""
    report = readable(report)
    blocks = _verdict(report)
    if report["arms"]:
        blocks.append(table(_arm_rows(report, ranked=True)))
    if report["pairs"]:
        rows = [["difference", "points", "interval", "P(first > second)", "p (Holm)", "verdict"]]
        blocks.append(table([*rows, *(_pair_row(pair) for pair in report["pairs"])]))
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


def interval(quantity: dict[str, Any] | None, form: Any = score) -> str:
    """``0.646 [0.639, 0.653]``, or a dash."""
    if quantity is None or quantity["value"] is None:
        return NOTHING
    ends = f" [{form(quantity['low'])}, {form(quantity['high'])}]"
    return f"{form(quantity['value'])}{ends if quantity['low'] is not None else ''}"


def _verdict(report: dict[str, Any]) -> list[str]:
    verdict = report["verdict"]
    blocks = [f"VERDICT: {verdict['chip']}"]
    blocks += [paragraph(text) for text in (verdict["sentence"], *verdict["notes"])]
    if verdict["cautions"]:
        warnings = [paragraph(text, "  - ") for text in verdict["cautions"]]
        blocks.append("\n".join(["Warnings:", *warnings]))
    return blocks


def _arm_rows(report: dict[str, Any], *, ranked: bool = False) -> list[list[str]]:
    resource = "accelerator" if _spent(report["arms"], "accelerator") else "cpu"
    heading = {"accelerator": "accel. hours", "cpu": "CPU hours"}[resource]
    scores = ["test macro-F1", "clean", "best val."]
    rows = [["", *scores, "trials", heading, "parameters"]]
    arms = sorted(report["arms"], key=_rank) if ranked else report["arms"]
    rows += [
        [
            arm["arm"],
            interval(arm["test_macro_f1"]),
            _value(arm["test_clean_macro_f1"]),
            _value(arm["best_validation"]),
            str(arm["trials"]["total"]),
            hours(_spent([arm], resource)),
            millions(arm["parameters"]),
        ]
        for arm in arms
    ]
    rows += [
        [
            _FLOORS[floor["floor"]],
            interval(floor["test_macro_f1"]),
            _value(floor["test_clean_macro_f1"]),
            *[""] * 4,
        ]
        for floor in report["floors"]
    ]
    return rows


def _rank(arm: dict[str, Any]) -> float:
    return -arm["test_macro_f1"]["value"] if arm["test_macro_f1"] else 0.0


def _value(quantity: dict[str, Any] | None) -> str:
    return score(quantity["value"] if quantity else None)


def _pair_row(pair: dict[str, Any]) -> list[str]:
    gap, chance = pair["difference"], pair["superiority"]
    ends = NOTHING
    if gap and gap["low"] is not None:
        ends = f"{points(gap['low'], sign=True)} to {points(gap['high'], sign=True)}"
    return [
        f"{pair['first']} - {pair['second']}",
        points(gap["value"] if gap else None, sign=True),
        ends,
        probability(chance["value"] if chance else None),
        probability(pair["p_holm"]["value"]),
        pair["verdict"],
    ]


def _spent(arms: Sequence[dict[str, Any]], resource: str) -> float:
    """Hours of search and confirmation together."""
    key = f"{resource}_hours"
    return sum(float(phase[key]["value"]) for arm in arms for phase in arm["cost"].values())


def _endings(report: dict[str, Any]) -> str:
    lines = []
    for arm in report["arms"]:
        counts, epochs = arm["trials"], arm["epochs"]
        states = listing(f"{n} {state}" for state, n in counts.items() if n and state != "total")
        lines.append(
            f"{arm['arm']}: {states or 'no trial has ended'}; "
            f"{epochs['run']:,} of {epochs['allowed']:,} epochs run"
        )
    return "\n".join(paragraph(line) for line in lines)
