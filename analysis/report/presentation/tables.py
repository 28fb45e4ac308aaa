"""Table layouts that several chapters share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from analysis import formats
from analysis.report.presentation.blocks import Cell, Column, Row, Table, text
from analysis.report.presentation.cells import cell
from analysis.report.values import NameValue

Entry = TypeVar("Entry")


def pairs_table(name: str, label: str, rows: Sequence[NameValue]) -> Table:
    """A table of rows ``{name, value}``."""
    return Table(
        name=name,
        label=label,
        columns=(Column(name="name"), Column(name="value")),
        rows=tuple(Row(cells=(text(row.name), cell(row.value, formats.general))) for row in rows),
    )


def arms_table(
    name: str,
    label: str,
    entries: Sequence[Entry],
    heads: Sequence[str],
    lines: Mapping[str, Callable[[Entry], Cell]],
    *,
    caption: str = "",
    strong: Sequence[str] = (),
) -> Table:
    """One column per arm, one row per quantity.

    Args:
        entries: one per column, ``heads`` their headings.
        lines: by row name, the function that makes a cell from an entry.
        strong: names of rows in bold.
    """
    return Table(
        name=name,
        label=label,
        columns=(Column(name=""), *(Column(name=head) for head in heads)),
        rows=tuple(
            Row(cells=(text(line), *(make(entry) for entry in entries)), strong=line in strong)
            for line, make in lines.items()
        ),
        caption=caption,
    )


def value_table(
    name: str, label: str, heads: Mapping[str, Callable[[Any], str]], rows: Sequence[Sequence[Any]]
) -> Table:
    """A figure's data: plain values, a format per column; None becomes a dash."""
    return Table(
        name=name,
        label=label,
        columns=tuple(Column(name=head, numeric=form is not str) for head, form in heads.items()),
        rows=tuple(
            Row(
                cells=tuple(
                    text(formats.NOTHING if value is None else form(value))
                    for form, value in zip(heads.values(), row, strict=True)
                )
            )
            for row in rows
        ),
        tall=len(rows) > 12,
    )
