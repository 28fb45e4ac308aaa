"""Prediction and outcome: what simulated searches showed beforehand, and what this one came to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis import formats
from analysis.report.prediction.schema import PredictedFigure, PredictionPart
from analysis.report.presentation.blocks import (
    Block,
    Cell,
    Chapter,
    Row,
    Table,
    Text,
    columns,
    text,
)
from analysis.report.presentation.cells import cell, shown
from analysis.report.schema import Report


def chapter(report: Report) -> Chapter:
    """Epochs, hours, price, best values and verdict, predicted and actual."""
    prediction = report.prediction
    if not prediction.saved:
        return _chapter(
            "No prediction was saved with this search; `fer-tune search --plan FILE` saves one."
        )
    blocks: list[Block] = [_table(prediction)]
    if prediction.verdicts:
        blocks.append(Text(words=_verdicts(prediction)))
    return _chapter(_lead(prediction), *blocks)


def _chapter(lead: str, *blocks: Block) -> Chapter:
    return Chapter(name="prediction", title="Prediction and outcome", lead=lead, blocks=blocks)


def _lead(prediction: PredictionPart) -> str:
    runs = formats.plural(int(prediction.runs or 0), "simulated search", "simulated searches")
    command = f"the command `{prediction.source}`"
    made = f"Predicted by {command} from {runs} (curves: {prediction.curves})"
    known = [figure for figure in prediction.figures if figure.inside is not None]
    if not known:
        return f"{made}; the search has not finished."
    inside = sum(bool(figure.inside) for figure in known)
    share = formats.percent(prediction.level)
    larger = (
        " The search has been enlarged since (a larger budget, or more confirmation seeds): its "
        "figures are not those that were predicted."
    )
    return (
        f"{made}; {inside} of {len(known)} figures of this search lie in the interval that holds "
        f"{share} of those.{larger if prediction.enlarged else ''}"
    )


def _table(prediction: PredictionPart) -> Table:
    return Table(
        name="prediction-figures",
        label="Figures, predicted and actual",
        columns=columns(
            "figure", "predicted", "actual", "in the interval", numeric=("predicted", "actual")
        ),
        rows=tuple(Row(cells=_cells(figure)) for figure in prediction.figures),
        caption="Predicted: mean over simulated searches, and the interval that nine in ten of "
        "them lie in. Hours: of all sessions, with the start of Ray, which simulations leave out. "
        "Accelerator hours: what runs hold, with their set-up; without a GPU, hours of runs.",
    )


def _cells(figure: PredictedFigure) -> tuple[Cell, ...]:
    form = _form(figure)
    name = figure.name if figure.arm is None else f"{figure.name} of {figure.arm}"
    predicted = Cell(
        main=shown(figure.mean, form), low=shown(figure.low, form), high=shown(figure.high, form)
    )
    inside = {None: formats.NOTHING, True: "yes", False: "no"}[figure.inside]
    return text(name, small=figure.unit), predicted, cell(figure.actual, form), text(inside)


def _form(figure: PredictedFigure) -> Callable[[Any], str]:
    if figure.arm is not None:
        return formats.score
    forms = {"epochs": formats.count, "price": formats.money}
    return forms.get(figure.name, formats.hours)


def _verdicts(prediction: PredictionPart) -> str:
    parts = [f"{row.verdict} {formats.count(row.searches)}" for row in prediction.verdicts]
    actual = prediction.actual_verdict
    outcome = "The search has no verdict yet" if actual is None else f"The verdict is {actual}"
    return f"Verdicts of simulated searches: {formats.listing(parts)}. {outcome}."
