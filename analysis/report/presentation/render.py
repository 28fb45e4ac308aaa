"""Renders blocks as one HTML page and as Markdown with figure files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis import formats
from analysis.report.presentation.blocks import Block, Chapter, Columns, Drawing, Fold, Picture
from analysis.report.presentation.svg import inline
from analysis.report.schema import Report
from fer_tune.escaping import markdown

#: Folder of the Markdown's figures.
FIGURES = "figures"


@dataclass(frozen=True, kw_only=True)
class Content:
    """A report ready to be rendered: the blocks of its first screen, then its chapters."""

    opening: tuple[Block, ...]
    chapters: tuple[Chapter, ...]

    def drawings(self) -> Iterator[Drawing]:
        """Every figure, in order."""
        yield from _drawings(self.opening)
        for chapter in self.chapters:
            yield from _drawings(chapter.blocks)


def render_html(report: Report, content: Content) -> str:
    """The page: one self-contained file without scripts."""
    page = _environment("html").get_template("report.html.j2")
    html = page.render(report=report, opening=content.opening, chapters=content.chapters)
    return re.sub(r"\n{2,}", "\n", html) + "\n"


def render_markdown(report: Report, content: Content) -> tuple[str, dict[str, str]]:
    """The Markdown, and its figures by path relative to it."""
    files = {f"{FIGURES}/{drawing.name}.svg": drawing.svg for drawing in content.drawings()}
    page = _environment("markdown").get_template("report.md.j2")
    text = page.render(
        report=report, opening=content.opening, chapters=content.chapters, folder=FIGURES
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", files


def _drawings(blocks: Iterable[Block]) -> Iterator[Drawing]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block.drawing
        elif isinstance(block, Fold):
            yield from _drawings(block.blocks)
        elif isinstance(block, Columns):
            for part in block.parts:
                yield from _drawings(part)


@cache
def _environment(kind: Literal["html", "markdown"]) -> Environment:
    """Templates that escape every value, for HTML or for Markdown."""
    environment = Environment(
        loader=PackageLoader("analysis", "templates"),
        autoescape=True,
        finalize=_markdown if kind == "markdown" else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=formats.duration, moment=_moment)
    environment.globals.update(kind_of=_kind_of, svg=_svg)
    return environment


def _kind_of(block: Block | Sequence[Block]) -> str:
    return type(block).__name__


def _svg(drawing: Drawing) -> Markup:
    return Markup(inline(drawing.svg))


def _moment(stamp: float | None) -> str:
    """Seconds since the Unix epoch as a time in UTC, to the minute."""
    if stamp is None:
        return formats.NOTHING
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _markdown(value: object) -> Markup:
    """A template's value escaped for Markdown; the output of macros stays."""
    return value if isinstance(value, Markup) else Markup(markdown(value))
