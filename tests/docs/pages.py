"""The pages of the documentation, and what of them can be checked."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`(fer-tune [^`]+)`")


@dataclass(frozen=True)
class Command:
    """A line of shell on a page: its words, without comments and what it is piped into."""

    page: str
    words: tuple[str, ...]
    block: bool  # in a block of shell, and not within the text

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def name_of(page: Path) -> str:
    """Its path in the project, or its name outside of it."""
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return [body for name, body in _FENCE.findall(text) if name == language]


def commands(page: Path) -> list[Command]:
    """What starts with ``fer-tune`` in the blocks of shell and within the text."""
    text = page.read_text(encoding="utf-8")
    in_blocks = [
        line
        for body in blocks(text, "sh")
        for line in body.replace("\\\n", " ").splitlines()
        if re.match(r"(\.venv/bin/)?fer-tune ", line)
    ]
    within = _INLINE.findall(_FENCE.sub("", text))
    return [
        Command(name_of(page), words, block)
        for lines, block in ((in_blocks, True), (within, False))
        for line in lines
        if (words := _words(line))
    ]


def _words(line: str) -> tuple[str, ...]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # an apostrophe in the text
        words = line.split()
    for separator in ("|", ">", "&&", ";"):
        if separator in words:
            words = words[: words.index(separator)]
    return tuple(words[1:])


def links(page: Path) -> list[str]:
    """Targets of links and images that lead to files of this project."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in found if "://" not in target]


def anchors(page: Path) -> set[str]:
    """What a link may name after ``#``, as code-hosting sites make it of headings."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def json_rows() -> dict[str, list[str]]:
    """Commands of docs/json.md and their keys there; what is in parentheses is left out."""
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    return {
        command: re.findall(r"`([a-z0-9_]+)`", re.sub(r"\(.*?\)", "", keys))
        for command, keys in re.findall(r"^\| `([^`]+)` \| (.*) \|$", page, re.M)
    }
