"""Renders report.json's blocks as one HTML page and as Markdown with figures beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis import formats
from analysis.report.blocks import Block, Chapter, Columns, Drawing, Fold, Picture
from analysis.report.quantities import Json
from analysis.report.svg import inline

#: Folder of the Markdown's figures, beside it.
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


def render_html(report: Json, content: Content) -> str:
    """The page: one file, no script, nothing to load."""
    page = _environment(escape=True).get_template("report.html.j2")
    html = page.render(report=report, opening=content.opening, chapters=content.chapters)
    return re.sub(r"\n{2,}", "\n", html) + "\n"


def render_markdown(report: Json, content: Content) -> tuple[str, dict[str, str]]:
    """The Markdown, and its figures by path relative to it."""
    files = {f"{FIGURES}/{drawing.name}.svg": drawing.svg for drawing in content.drawings()}
    page = _environment(escape=False).get_template("report.md.j2")
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
def _environment(*, escape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis", "templates"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=formats.duration, moment=_moment, bar=_escape_bar)
    environment.globals.update(kind_of=_kind_of, svg=_svg)
    return environment


def _kind_of(block: Block | Sequence[Block]) -> str:
    return type(block).__name__


def _svg(drawing: Drawing) -> Markup:
    return Markup(inline(drawing.svg))


def _moment(stamp: float | None) -> str:
    """Seconds since the epoch as a minute in UTC, so that every reader sees the same."""
    if stamp is None:
        return formats.NOTHING
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _escape_bar(text: object) -> str:
    """Text inside a Markdown table's cell."""
    return str(text).replace("|", "\\|").replace("\n", " ")
