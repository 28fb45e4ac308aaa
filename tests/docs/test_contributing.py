"""The recipes of CONTRIBUTING.md name files and targets that exist."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

PAGE = ROOT / "CONTRIBUTING.md"
#: What a recipe makes.
_NEW = re.compile(r"NAME|TOPIC|CONCERN")
_TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def exists(quoted: str) -> bool:
    """Whether the checkout has a target of make, or a path; True for anything else."""
    if target := re.fullmatch(r"make ([a-z-]+)", quoted):
        return target[1] in _TARGETS
    is_path = re.fullmatch(r"[\w.]+/[\w./-]*", quoted) and not _NEW.search(quoted)
    return not is_path or (ROOT / quoted).exists()


def missing(text: str) -> list[str]:
    """What is in backquotes and does not exist."""
    return [quoted for quoted in re.findall(r"`([^`\n]+)`", text) if not exists(quoted)]


def test_what_it_names_exists() -> None:
    assert missing(PAGE.read_text(encoding="utf-8")) == []


def test_what_does_not_exist_is_seen() -> None:
    text = "`make tset` `make test` `tests/no.py` `tests/docs` `tests/TOPIC/x.py` `analysis/no/`"
    assert missing(text) == ["make tset", "tests/no.py", "analysis/no/"]
