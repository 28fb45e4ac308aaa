"""Files and names of code that the pages about architecture mention exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, name_of

INSIDE = sorted([DOCS / "architecture.md", *(DOCS / "architecture").glob("*.md")])
_QUOTED = re.compile(r"`([^`\n]+)`")
#: ``folder/``, ``folder/file.py``, ``file.py``; ``report/NAME/`` stands for any.
_PATH = re.compile(r"[\w./-]+/|[\w./-]+\.(py|js|json|md|yaml|sh)")
#: ``StudyAsha.judge``, ``_try_restore``, ``FEATURES_VERSION``, ``KnownSpaceTPE``.
_NAME = re.compile(r"\.?[A-Za-z_]\w*(\.\w+)*")
#: What a search, a dataset, a page or a run writes; beginnings of values; names of other programs.
WRITTEN = {"checkpoints/", "checkpoints/models/", "errors/", "models/ARM/", "tensorboard/"}
WRITTEN |= {"checkpoints/models/NUMBER/", "ray/", "report/", "report-merged/", "report/NAME/"}
WRITTEN |= {"tensorboard/arm/replicate/number/", "fer_tune/searches/"}
WRITTEN |= {"manifest.json", "latency.json", "result.json", "candidate.json", "card.json"}
WRITTEN |= {"thumbnails.parquet/", "asha/", "AWS_REGION"}
WRITTEN |= {
    "card.md",
    "dataset.json",
    "near_copies.json",
    "probe.json",
    "page.json",
    "report.json",
    "report.md",
}


#: Folders of the project; others may hold results, environments, or what other programs built.
FOLDERS = ("analysis", "benchmarks", "cluster", "docs", "fer_tune", "search_spaces", "tests")


@cache
def files() -> tuple[str, ...]:
    """All files of the project, from its top, with ``/`` before."""
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    found = [path for path in (*ROOT.iterdir(), *below) if path.is_file()]
    names = (str(path.relative_to(ROOT)) for path in found if "node_modules" not in path.parts)
    return tuple(f"/{name}" for name in names)


@cache
def words_of_code() -> frozenset[str]:
    ours = [ROOT / name[1:] for name in files() if not name.startswith("/docs/")]
    kinds = {".py", ".toml", ".yaml", ".sh", ".js", ".json"}
    texts = (path.read_text(encoding="utf-8") for path in ours if path.suffix in kinds)
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def missing(page: Path) -> list[str]:
    """What a page puts in backquotes and the project does not have."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    wrong = []
    for quoted in _QUOTED.findall(text):
        if quoted in WRITTEN:
            continue
        if _PATH.fullmatch(quoted):
            found = any(f"/{quoted}" in file for file in files())
        elif _NAME.fullmatch(quoted):
            found = set(re.findall(r"\w+", quoted)) <= words_of_code()
        else:
            continue
        if not found:
            wrong.append(quoted)
    return wrong


@pytest.mark.parametrize("page", INSIDE, ids=name_of)
def test_what_it_names_exists(page: Path) -> None:
    assert missing(page) == []


def test_a_name_that_does_not_exist_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    none = "Stu" + "dyAshb"  # not in this file as one word
    page.write_text(
        f"`{none}.judge` `StudyAsha.judge` `tuning/no.py` `tuning/run.py` `tuning/none/` `tuning/`"
    )
    assert missing(page) == [f"{none}.judge", "tuning/no.py", "tuning/none/"]


# -- pages that are named outside of docs/ -----------------------------------------------------

_NAMED_PAGE = re.compile(r"\bdocs/[\w/-]+\.md\b")
NAMING = ("/fer_tune/", "/analysis/", "/cluster/", "/search_spaces/", "/benchmarks/", "/CH", "/CON")


def no_pages(text: str) -> list[str]:
    """Pages that a text names and that do not exist."""
    return [name for name in _NAMED_PAGE.findall(text) if not (ROOT / name).is_file()]


def test_pages_that_code_names_exist() -> None:
    named = [ROOT / name[1:] for name in files() if name.startswith(NAMING)]
    texts = {p: p.read_text(encoding="utf-8", errors="replace") for p in named}
    assert sum(bool(_NAMED_PAGE.search(text)) for text in texts.values()) > 20
    assert {str(p): wrong for p, text in texts.items() if (wrong := no_pages(text))} == {}


def test_a_page_that_code_names_and_is_not_there_is_seen() -> None:
    assert no_pages("see docs/install.md and docs/none/a-b.md") == ["docs/none/a-b.md"]
