"""Cells of tables from values of report.json: each number keeps its place there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.formats import MINUS, NOTHING
from analysis.report.presentation.blocks import Cell, Shown
from analysis.report.values import Float, Int, PairLike, Quantity

Form = Callable[[Any], str]

#: A value of report.json. A computed number is none, so that what a cell shows can be traced.
Value = Int | Float | bool | str | None


def shown(value: Value, form: Form = str) -> Shown:
    """The value as displayed, a number with its path; a dash for null."""
    if value is None:
        return Shown(text=NOTHING)
    if isinstance(value, bool | str):
        return Shown(text=form(value))
    return Shown(text=form(value), value=value, path=value.path)


def cell(value: Value, form: Form = str, *, small: str = "") -> Cell:
    """A table cell with the value."""
    return Cell(main=shown(value, form), small=small)


def estimate(
    quantity: Quantity | None, form: Form, *, small: str = "", interval: bool = True
) -> Cell:
    """A cell with the quantity: its value, and its interval in small print."""
    if quantity is None or quantity.value is None:
        return Cell(main=Shown(text=NOTHING), small=small)
    both = interval and quantity.low is not None and quantity.high is not None
    return Cell(
        main=shown(quantity.value, form),
        low=shown(quantity.low, form) if both else None,
        high=shown(quantity.high, form) if both else None,
        small=small,
    )


def pair_name(pair: PairLike) -> str:
    """``A - B``: first minus second."""
    return f"{pair.first} {MINUS} {pair.second}"
