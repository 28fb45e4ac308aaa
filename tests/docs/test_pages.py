"""Links lead somewhere, commands and options exist, pages are short and can all be found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from fer_tune.cli.app import app
from tests.docs.pages import DOCS, PAGES, ROOT, Command, anchors, commands, links, name_of

PROGRAM = typer.main.get_command(app)
#: Words of a page, whatever stands between two spaces or line ends as ``wc -w`` counts them:
#: tables, commands and code are read as well, so they count.
MOST_WORDS = 1500
#: Not read from beginning to end: words to look up, and a reference that a program writes.
LONGER = {DOCS / "glossary.md", DOCS / "report-json.md"}


def broken(page: Path) -> list[str]:
    wrong = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](none.md) [b](#one-heading) [c](#two) [d](https://x.org)\n")
    assert broken(page) == ["none.md", "#two"]


def fault(command: Command) -> str | None:
    """What of a command does not exist."""
    at: Any = PROGRAM
    words = list(command.words)
    while hasattr(at, "commands"):
        if not words or not words[0][:1].isalpha():
            return None  # the name of the program alone
        name = words.pop(0)
        if not name.islower():
            return None  # a placeholder
        if name not in at.commands:
            return f"{command}: no command {name}"
        at = at.commands[name]
    known = {"--help", *(o for p in at.params for o in (*p.opts, *p.secondary_opts))}
    flags = [word.partition("=")[0] for word in words if word.startswith("-") and word != "-"]
    unknown = [flag for flag in flags if flag not in known and flag != "--"]
    return f"{command}: no option {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_commands_and_options_exist(page: Path) -> None:
    assert [found for command in commands(page) if (found := fault(command))] == []


def test_a_wrong_command_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`fer-tune serach x` `fer-tune data import x --out y`\n"
        "```sh\nfer-tune rank results --yaml  # as\n"
        "fer-tune report \\\n    a --out b | less -S\n```\n"
    )
    found = [fault(command) for command in commands(page)]
    assert [f for f in found if f] == [
        "page.md: rank results --yaml: no option --yaml",
        "page.md: serach x: no command serach",
    ]


def overview(page: Path) -> Path:
    """The page that leads to this one: of ``docs/NAME/`` it is ``docs/NAME.md``."""
    return DOCS / "README.md" if page.parent == DOCS else page.parent.with_suffix(".md")


def unlisted(pages: list[Path]) -> list[Path]:
    """Pages that their overview does not link to."""
    return [
        page
        for page in pages
        if page not in {(overview(page).parent / link).resolve() for link in links(overview(page))}
    ]


def test_the_table_of_contents_has_every_page() -> None:
    pages = [page for page in DOCS.rglob("*.md") if page != DOCS / "README.md"]
    assert any(page.parent != DOCS for page in pages)
    assert unlisted(pages) == []


def test_a_page_that_is_not_listed_is_seen() -> None:
    new = [DOCS / "new.md", DOCS / "architecture" / "new.md"]
    assert unlisted([*new, DOCS / "install.md"]) == new


def too_long(pages: list[Path]) -> dict[str, int]:
    """Words of the pages that have too many of them."""
    counts = {page: len(page.read_text(encoding="utf-8").split()) for page in pages}
    return {name_of(page): count for page, count in counts.items() if count > MOST_WORDS}


def test_pages_are_short() -> None:
    assert too_long([page for page in PAGES if page not in LONGER]) == {}
    assert all(page.is_file() for page in LONGER)


def test_a_long_page_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Heading\n\n| a | b |\n|---|---|\n" + "word " * (MOST_WORDS - 8))
    assert too_long([page]) == {}
    page.write_text(page.read_text() + "more")
    assert too_long([page]) == {"page.md": MOST_WORDS + 1}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150
