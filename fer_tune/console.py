"""Printing to a terminal: no markup, control characters escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from fer_tune.escaping import one_line

#: Text, or text with its style.
Part = str | tuple[str, str]


def styled(*parts: Part, style: str = "") -> Text:
    """One line of ``parts``, each in its own style."""
    found = Text(style=style)
    for part in parts:
        text, own = (part, "") if isinstance(part, str) else part
        found.append(one_line(text), own or None)
    return found


def cells(*values: object) -> list[Text]:
    """The cells of a table's row, or its headings."""
    return [styled(str(value)) for value in values]


def plain_table(rows: Iterable[Sequence[object]], *headings: str) -> Table:
    """A table without lines; without a row of headings where there are none."""
    heads = map(Column, cells(*headings))
    table = Table(*heads, box=None, show_header=bool(headings), pad_edge=False)
    for row in rows:
        table.add_row(*cells(*row))
    return table


def say(
    console: Console,
    *rows: RenderableType,
    style: str = "",
    wrap: bool = False,
    end: str = "\n",
) -> None:
    """Prints each of ``rows`` on a line of its own; a table as it is.

    Args:
        wrap: whether to break lines between words; others are not broken, to be copied.
    """
    for row in rows:
        shown = styled(row, style=style) if isinstance(row, str) else row
        console.print(shown, end=end, soft_wrap=not wrap, highlight=False)
