"""Links lead somewhere, commands and options exist, the table of contents is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from fer_tune.cli.app import app
from tests.docs.pages import PAGES, ROOT, Command, anchors, commands, links

PROGRAM = typer.main.get_command(app)


def by_name(path: Path) -> str:
    return path.name


def broken(page: Path) -> list[str]:
    wrong = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=by_name)
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


@pytest.mark.parametrize("page", PAGES, ids=by_name)
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


def test_the_table_of_contents_has_every_page() -> None:
    contents = ROOT / "docs/README.md"
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {link for link in links(contents) if "/" not in link} == pages


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150
