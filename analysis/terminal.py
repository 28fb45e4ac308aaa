"""The closing summary for a terminal, from report.json alone. Plain text, no colours."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from analysis.formats import NOTHING, hours, listing, millions, score

_WIDTH = 96
#: How the ways of saving epochs are named.
_CAUSES = {"asha": "ASHA", "overfit_stopper": "the overfit stopper", "divergence": "divergence"}


def summary_text(report: dict[str, Any]) -> str:
    """Verdict, arms and floors, states of the trials, epochs saved; lines of at most 96 signs.

    Args:
        report: the content of report.json.
    """
    verdict = report["verdict"]
    said = [verdict["sentence"], verdict["scope_note"], verdict["remedy_note"]]
    blocks = [f"VERDICT: {verdict['chip']}"]
    blocks += [_paragraph(text) for text in said if text]
    if verdict["cautions"]:
        cautions = [_paragraph(text, "  - ") for text in verdict["cautions"]]
        blocks.append("\n".join(["Read with care:", *cautions]))
    if report["arms"]:
        blocks += [_table(_arm_rows(report)), _endings(report)]
    return "\n\n".join(blocks)


def _arm_rows(report: dict[str, Any]) -> list[list[str]]:
    resource = "accelerator" if _spent(report["arms"], "accelerator") else "cpu"
    heading = {"accelerator": "accel. hours", "cpu": "CPU hours"}[resource]
    scores = ["test macro-F1", "accuracy", "clean", "best val"]
    rows = [["", *scores, heading, "parameters"]]
    for arm in report["arms"]:
        rows.append(
            [
                arm["arm"],
                *_scores(arm),
                score(arm["best_validation"]["value"]),
                hours(_spent([arm], resource)),
                millions(arm["parameters"]),
            ]
        )
    # The page gives the floors their full names; here the column must stay narrow.
    names = {"majority": "majority class", "logistic_regression": "logistic regression"}
    rows += [[names[f["floor"]], *_scores(f), "", "", ""] for f in report["floors"]]
    return rows


def _spent(arms: Sequence[dict[str, Any]], resource: str) -> float:
    """Hours of search and confirmation together."""
    key = f"{resource}_hours"
    return sum(float(stage[key]["value"]) for arm in arms for stage in arm["cost"].values())


def _scores(entry: dict[str, Any]) -> list[str]:
    f1 = entry["test_macro_f1"]
    if f1 is None:
        return [NOTHING] * 3
    interval = f" [{score(f1['low'])}, {score(f1['high'])}]" if f1["low"] is not None else ""
    others = (entry[key] for key in ("test_accuracy", "test_clean_macro_f1"))
    return [
        score(f1["value"]) + interval,
        *(score(other["value"] if other else None) for other in others),
    ]


def _endings(report: dict[str, Any]) -> str:
    lines = []
    for ending in report["endings"]:
        states = listing(f"{n} {state}" for state, n in ending["states"].items() if n)
        saved = listing(f"{n} by {_CAUSES[cause]}" for cause, n in ending["saved"].items() if n)
        lines.append(
            f"{ending['arm']}: {states or 'no trial has ended'}; "
            f"{ending['run']:,} of {ending['budget']:,} epochs run"
            + (f", saved {saved}" if saved else "")
        )
    return "\n".join(_paragraph(line) for line in lines)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _paragraph(text: str, bullet: str = "") -> str:
    inset = " " * len(bullet)
    return "\n".join(wrap(text, _WIDTH, initial_indent=bullet, subsequent_indent=inset))
