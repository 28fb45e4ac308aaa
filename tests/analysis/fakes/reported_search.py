"""Whole reports of small made-up searches, for chapters that read several sections."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from answered_search import blocks_of
from fake_search import Plan
from trained_search import planned
from typed_report import typed

from analysis.inputs.search import Search
from analysis.report import build
from analysis.report.presentation.blocks import Chapter, Picture, Table
from analysis.report.presentation.render import Content, render_html, render_markdown
from analysis.report.quantities import Json
from analysis.report.schema import Report
from analysis.settings import Settings
from tests.undrawn import undrawn

Maker = Callable[[Report], Chapter]

#: Plans of which a chapter is made a second time with its figures: one by its seeds, one by its
#: studies.
TWICE = ("whole", "studies")


@cache
def report_of(name: str) -> Json:
    """The report of one of :data:`trained_search.PLANS`."""
    return build(planned(name))


def chapter_of(maker: Maker, source: str | Search, settings: Settings | None = None) -> Chapter:
    """A chapter of the report of a named plan, drawn once, or of a search."""
    if isinstance(source, str):
        return _planned_chapter(maker, source)
    return maker(typed(build(source, settings)))


@cache
def _planned_chapter(maker: Maker, name: str) -> Chapter:
    return maker(typed(report_of(name)))


def tables(chapter: Chapter) -> dict[str, Table]:
    """Every table by name, those of figures too."""
    blocks = blocks_of(chapter)
    found = [b for b in blocks if isinstance(b, Table)]
    found += [b.data for b in blocks if isinstance(b, Picture)]
    names = [table.name for table in found]
    assert len(names) == len(set(names)), "two tables of one name"
    return {table.name: table for table in found}


def column(table: Table, name: str) -> list[str]:
    """What is printed in a column."""
    place = [column.name for column in table.columns].index(name)
    return [row.cells[place].main.text for row in table.rows]


def lines(table: Table) -> dict[str, list[str]]:
    """What is printed in each row, by its heading."""
    return {row.cells[0].main.text: [c.main.text for c in row.cells[1:]] for row in table.rows}


def assert_sound(maker: Maker, name: str) -> None:
    """A lead of one sentence, no empty table, both renderings, the same figures twice."""
    report = report_of(name)
    chapter = chapter_of(maker, name)
    if name in TWICE:
        assert chapter == maker(typed(report))
    else:
        with undrawn():
            assert maker(typed(report)) == maker(typed(report))
    assert chapter.lead.endswith(".") and "\n" not in chapter.lead
    for table in tables(chapter).values():
        assert table.rows, table.name
    content = Content(opening=(), chapters=(chapter,))
    html = render_html(report, content)
    text, _ = render_markdown(report, content)
    for words in (html, text):
        assert " nan" not in words and ">None<" not in words and "| None" not in words


__all__ = ["Plan", "assert_sound", "chapter_of", "column", "lines", "report_of", "tables"]
