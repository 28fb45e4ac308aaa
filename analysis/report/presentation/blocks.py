"""Building blocks of a report, independent of HTML and Markdown.

A chapter is a title and blocks. Both renderings use the same blocks, so they show the same
numbers. Numbers are :class:`Shown` in cells, with their exact value and their path in report.json;
:mod:`analysis.report.presentation.cells` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["", "pass", "warn", "broken"]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A number as displayed. ``path`` is empty for text that is not in report.json."""

    text: str
    value: float | int | None = None
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A table cell: a number or text, with an interval and a remark in small print below."""

    main: Shown
    low: Shown | None = None
    high: Shown | None = None
    small: str = ""
    tone: Tone = ""


def text(words: object, *, small: str = "", tone: Tone = "") -> Cell:
    """A cell of plain text."""
    return Cell(main=Shown(text=str(words)), small=small, tone=tone)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's heading; ``numeric`` columns are right-aligned."""

    name: str
    numeric: bool = False


def columns(*names: str, numeric: Sequence[str] = ()) -> tuple[Column, ...]:
    """Columns by name; those in ``numeric`` hold numbers."""
    return tuple(Column(name=name, numeric=name in numeric) for name in names)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row; its first cell is its heading. ``strong`` rows are set in bold."""

    cells: tuple[Cell, ...]
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with as many cells in each row as there are columns.

    Attributes:
        name: unique in the report; the id of the HTML table.
        label: accessible name.
        caption: small print below.
        tall: scrolls within the page when it is long.
    """

    name: str
    label: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    tall: bool = False

    def __post_init__(self) -> None:
        assert all(len(row.cells) == len(self.columns) for row in self.rows), self.name


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure: its name in the report, title, description, and standalone SVG."""

    name: str
    title: str
    description: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure with its data folded below. ``wide`` figures take the full width of the page."""

    drawing: Drawing
    data: Table
    wide: bool = True


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph."""

    words: str
    faint: bool = False


@dataclass(frozen=True, kw_only=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading within a chapter."""

    words: str


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Blocks that open on demand."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        image: a data URI.
        alternative: alternative text.
        lines: the caption, line by line.
    """

    image: str
    alternative: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures side by side. ``data`` is the same as a table; Markdown shows only that."""

    label: str
    tiles: tuple[Tile, ...]
    data: Table


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Blocks side by side where the page is wide enough."""

    parts: tuple[tuple[Block, ...], ...]


Block = Text | Bullets | Heading | Table | Picture | Fold | Gallery | Columns


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One chapter: ``name`` is its id, ``lead`` its summary in one sentence."""

    name: str
    title: str
    lead: str = ""
    blocks: tuple[Block, ...] = field(default=())
