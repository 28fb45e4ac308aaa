"""What a report is made of, before it becomes HTML or Markdown.

A chapter is a title and blocks. Both renderings are made from the same blocks, so they show the
same numbers. Numbers stand in cells as :class:`Shown`, with their exact value and their place in
report.json; a cursor (:class:`analysis.report.cursor.At`) makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["", "pass", "warn", "broken"]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A number as a reader sees it. ``path`` is empty where report.json holds none."""

    text: str
    value: float | int | None = None
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A table's cell: a number or text, an interval and a remark in small print beneath."""

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
    """A column's heading; ``numeric`` columns are set to the right."""

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
        label: what it is, for those who cannot see it.
        caption: small print beneath.
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
    """One figure: its name in the report, what it says, and its standalone SVG."""

    name: str
    title: str
    description: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure and, folded beneath it, its data. ``wide`` ones take the page's whole width."""

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
        alternative: what it shows, for those who cannot see it.
        lines: the caption, line by line.
    """

    image: str
    alternative: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures side by side. ``data`` tells the same in numbers; Markdown shows that alone."""

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
    """One chapter: ``name`` is its id, ``lead`` what it says in a sentence."""

    name: str
    title: str
    lead: str = ""
    blocks: tuple[Block, ...] = field(default=())
