"""An evaluation as text for the terminal, and as a row of a Markdown table."""

from __future__ import annotations

from typing import Any

from analysis.formats import NOTHING, count, percent, score
from analysis.outputs.evaluation import SUBSETS
from analysis.outputs.terminal import interval, table
from analysis.report.reading import typed_quantity
from fer_tune.escaping import markdown, readable

_SCORES = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
_CALIBRATION = {
    "confidence": "confidence",
    "calibration_error": "ECE",
    "brier": "Brier",
    "log_likelihood": "NLL",
}
#: With more classes, a line cannot hold the confusion matrix's intervals, or the matrix itself.
_WITH_INTERVALS, _AT_ALL = 7, 12
#: Headings of the columns of :func:`markdown_row`.
MARKDOWN_HEAD = (
    "| model | pictures | accuracy | macro-F1 | clean pictures | accuracy, clean | macro-F1, clean "
    "| ms per picture |\n|---|---:|---|---|---:|---|---|---:|"
)


def evaluation_text(found: dict[str, Any], classes: list[str]) -> str:
    """Scores, scores by class, and the confusion matrix of all pictures.

    Args:
        found: of :func:`analysis.outputs.evaluation.evaluation`.
    """
    names = readable(classes)
    blocks = [table(_score_rows(found)), table(_class_rows(found["all"], names))]
    if len(names) <= _AT_ALL:
        heading = "predicted as, per cent of the true class"
        heading += " [95 % interval]" if len(names) <= _WITH_INTERVALS else ""
        blocks.append(f"{heading}\n{_matrix(found, names)}")
    return "\n\n".join(blocks)


def markdown_row(name: str, found: dict[str, Any], milliseconds: float | None) -> str:
    """A row of the Markdown table with :data:`MARKDOWN_HEAD`."""
    subsets = [found[key] for key in SUBSETS]
    cells = [markdown(name)]
    for subset in subsets:
        cells += [NOTHING] * 3 if subset is None else _scored(subset)
    cells.append(NOTHING if milliseconds is None else f"{milliseconds:.3g}")
    return f"| {' | '.join(cells)} |"


def _scored(subset: dict[str, Any]) -> list[str]:
    return [count(subset["pictures"]), *(interval(typed_quantity(subset[key])) for key in _SCORES)]


def _score_rows(found: dict[str, Any]) -> list[list[str]]:
    rows = [["", "pictures", *_SCORES.values(), *_CALIBRATION.values()]]
    for key in SUBSETS:
        subset = found[key]
        if subset is None:
            rows.append([key, "0", *[NOTHING] * (len(rows[0]) - 2)])
        else:
            measures = [score(subset["calibration"][name]["value"]) for name in _CALIBRATION]
            rows.append([key, *_scored(subset), *measures])
    return rows


def _class_rows(subset: dict[str, Any], names: list[str]) -> list[list[str]]:
    rows = [["class", "pictures", "precision", "recall", "F1"]]
    for name, one in zip(names, subset["classes"], strict=True):
        shares = [interval(typed_quantity(one[key])) for key in ("precision", "recall")]
        rows.append([name, count(one["support"]), *shares, score(one["f1"]["value"])])
    return rows


def _matrix(found: dict[str, Any], names: list[str]) -> str:
    """Shares of the rows in per cent, with their intervals where the line has room."""
    confusion = found["all"]["confusion"]
    rows = zip(names, confusion["shares"], confusion["low"], confusion["high"], strict=True)
    cell = _cell if len(names) <= _WITH_INTERVALS else _share
    shown = [[name, *map(cell, *ends)] for name, *ends in rows]
    return table([["true", *names], *shown])


def _cell(share: float | None, low: float | None, high: float | None) -> str:
    if share is None or low is None or high is None:
        return NOTHING
    return f"{100 * share:.0f} [{100 * low:.0f}, {100 * high:.0f}]"


def _share(share: float | None, *_: float | None) -> str:
    return percent(share)
