"""Reads a written report back: the page's elements, the Markdown's tables, paths of the JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from analysis.report import ReportPaths

VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Page(HTMLParser):
    """Open tags, ids, links, the ``data`` elements and the tables of a page."""

    open: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    numbers: list[tuple[str, str, str]] = field(default_factory=list)
    cells: dict[str, list[str]] = field(default_factory=dict)
    title: str = ""
    pending: dict[str, str] = field(default_factory=dict)
    table: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src", "xlink:href") if name in found]
        self.pending = found if tag == "data" else {}
        if tag == "table":
            self.table = found["id"]
            self.cells[self.table] = []
        if tag in ("td", "th") and "thead" not in self.open:
            self.cells[self.table].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["title"] and "svg" not in self.open:
            self.title += data
        if "tbody" in self.open and self.cells[self.table]:
            self.cells[self.table][-1] += f"{data} "
        if self.pending:
            self.numbers.append((self.pending["data-path"], self.pending["value"], data))
            self.pending = {}


def parse(paths: ReportPaths) -> Page:
    """The page, every tag closed in its turn."""
    page = Page()
    page.feed(paths.html.read_text(encoding="utf-8"))
    page.close()
    return page


def read(paths: ReportPaths) -> dict[str, Any]:
    """report.json."""
    loaded: dict[str, Any] = json.loads(paths.json.read_text(encoding="utf-8"))
    return loaded


def at(report: Any, path: str) -> Any:
    """The value at a dotted path."""
    for step in path.split("."):
        report = report[int(step)] if isinstance(report, list) else report[step]
    return report


def quantities(tree: Any) -> Iterator[dict[str, Any]]:
    """Every quantity of the JSON."""
    if isinstance(tree, list):
        for item in tree:
            yield from quantities(item)
    elif isinstance(tree, dict):
        if "estimator" in tree and "value" in tree:
            yield tree
        else:
            for item in tree.values():
                yield from quantities(item)


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Every table: its rows (the head first, the rule left out), each a list of cells."""
    tables = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        rows = [_cells(line) for line in block.splitlines()]
        assert all(re.fullmatch(r"-{3}:?", cell) for cell in rows[1]), block[:200]
        tables.append([rows[0], *rows[2:]])
    return tables


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("*") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def figures_in(text: str) -> list[str]:
    """Every number in a text as it is written, signs and thousands included."""
    return re.findall(r"[+\u2212]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?", text)
