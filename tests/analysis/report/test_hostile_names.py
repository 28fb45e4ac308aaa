"""Reports of a search whose names try to be HTML, Markdown, mathematics or terminal commands."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fake_search import Plan, write
from hostile_names import HOSTILE, NAME, PURPOSE, renamed
from markdown_it import MarkdownIt
from report_reading import markdown_tables

import analysis
from analysis.__main__ import main
from analysis.inputs.search import Search
from analysis.outputs.contrast import contrast, contrast_text
from analysis.outputs.terminal import rank_text, summary_text
from analysis.report import ReportPaths, _figures_of, read_report
from fer_tune.escaping import markdown, one_line

_PLAN = Plan(
    skill={"one": 0.66, "two": 0.62},
    compare="optimizer",
    values={"one": "adamw", "two": "sgd"},
    trials=8,
    seeds=2,
    epochs=8,
    baselines=True,
    probe=True,
)


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory) -> tuple[Search, Search]:
    plain = analysis.load(write(tmp_path_factory.mktemp("results"), _PLAN))
    return plain, renamed(plain)


@pytest.fixture(scope="module")
def reports(
    searches: tuple[Search, Search], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ReportPaths, ReportPaths]:
    """Of the plain names, and of the hostile ones."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("analysis.report.load", lambda search: search)
        root = tmp_path_factory.mktemp("reports")
        plain, hostile = searches
        return (
            analysis.write_report(plain, root / "plain"),  # type: ignore[arg-type]
            analysis.write_report(hostile, root / "hostile"),  # type: ignore[arg-type]
        )


def assert_quiet(text: str) -> None:
    """Nothing that a terminal or a page would not show as a sign of its own."""
    bad = {
        c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }
    assert not bad, sorted(map(repr, bad))


# -- the page ---------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Every element with its attributes' names, every address, the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def elements_of(page: str) -> list[Any]:
    """Without what figures draw, whose marks come and go with the room that labels leave."""
    return Elements(re.sub(r"<svg.*?</svg>", "<svg></svg>", page, flags=re.DOTALL)).found


def test_the_page_has_the_same_elements(reports: tuple[ReportPaths, ReportPaths]) -> None:
    plain, hostile = (paths.html.read_text(encoding="utf-8") for paths in reports)
    assert elements_of(hostile) == elements_of(plain)
    whole = Elements(hostile)
    kinds = {tag for tag, _ in Elements(plain).found}
    assert {tag for tag, _ in whole.found} == kinds and "script" not in kinds
    assert all(a.startswith(("#", "data:image/png;base64,")) for a in whole.addresses)
    assert not any(name.startswith("on") for _, names in whole.found for name in names)
    assert_quiet(hostile)
    text = "".join(whole.text)
    for name in (NAME, PURPOSE.rstrip("."), *(HOSTILE[k] for k in ("two", "fear", "sad"))):
        assert one_line(name) in text


def test_the_pages_figures_are_xml(reports: tuple[ReportPaths, ReportPaths]) -> None:
    _, hostile = reports
    files = sorted((hostile.html.parent / "figures").glob("*.svg"))
    assert len(files) == len(list((reports[0].html.parent / "figures").glob("*.svg")))
    said = set()
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert_quiet(text)
        for element in ET.fromstring(text).iter():
            assert element.tag.rpartition("}")[2] not in ("script", "a", "image", "foreignObject")
            assert not any(name.startswith("on") for name in element.attrib)
            said |= {element.text or ""}
    for key in ("one", "fear", "neutral", "surprise"):
        assert one_line(HOSTILE[key]) in said, "a name is drawn as it is, not as mathematics"


# -- the Markdown -----------------------------------------------------------------------------


def test_the_markdown_has_the_same_blocks(reports: tuple[ReportPaths, ReportPaths]) -> None:
    plain, hostile = (paths.markdown.read_text(encoding="utf-8") for paths in reports)
    assert_quiet(hostile)
    tables = [markdown_tables(text) for text in (plain, hostile)]
    shapes = [[[len(row) for row in table] for table in found] for found in tables]
    assert shapes[0] == shapes[1]
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = [parser.parse(text) for text in (plain, hostile)]
    kinds = [[token.type for token in found] for found in tokens]
    assert kinds[0] == kinds[1]
    children = {child.type for token in tokens[1] for child in token.children or ()}
    assert children <= {"text", "text_special", "strong_open", "strong_close", "image", "softbreak"}
    images = [c for t in tokens[1] for c in t.children or () if c.type == "image"]
    assert images and all(re.fullmatch(r"figures/[\w-]+\.svg", i.attrs["src"]) for i in images)
    html = "".join(token.content for token in tokens[1] if token.type == "html_block")
    assert {tag for tag, _ in Elements(html).found} == {"details", "summary"}
    shown = Elements(parser.render(hostile)).text
    for name in (NAME, *(HOSTILE[key] for key in ("one", "angry", "happy"))):
        assert one_line(name) in "".join(shown)


def test_a_name_names_no_figure_to_be_deleted(reports: tuple[ReportPaths, ReportPaths]) -> None:
    text = reports[1].markdown.read_text(encoding="utf-8")
    assert "](figures/kept.svg)" in text
    figures = {f"figures/{file.name}" for file in (reports[1].html.parent / "figures").iterdir()}
    assert _figures_of(reports[1].markdown) == figures


# -- JSON, interactive plots ------------------------------------------------------------------


def strings(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from strings(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from strings(item)


def test_the_json_keeps_every_name(reports: tuple[ReportPaths, ReportPaths]) -> None:
    text = reports[1].json.read_text(encoding="utf-8")
    assert_quiet(text)
    report = json.loads(text)
    assert report["search"]["name"] == NAME and report["search"]["purpose"] == PURPOSE
    assert [arm["arm"] for arm in report["arms"]] == [HOSTILE[arm] for arm in _PLAN.arms]
    assert set(HOSTILE[name] for name in ("angry", "fear", "sad")) <= set(strings(report))


def test_the_interactive_plots_hold_no_markup(reports: tuple[ReportPaths, ReportPaths]) -> None:
    plain, hostile = (p.explore.read_text(encoding="utf-8") for p in reports if p.explore)
    assert Elements(hostile).found == Elements(plain).found
    own = hostile[: hostile.index("<script>")]  # before plotly's script
    assert_quiet(own)
    data = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', own, flags=re.DOTALL)
    assert len(data) == plain.count('type="application/json"')
    allowed = {"<br>", "<extra>", "</extra>", "<b>", "</b>"}  # Optuna's own
    for figure in data:
        assert "<" not in figure
        for text in strings(json.loads(figure)):
            assert_quiet(text)
            assert set(re.findall(r"</?[a-z]+[^>]*>", text)) <= allowed, text


# -- the terminal -----------------------------------------------------------------------------


def test_the_terminal_gets_text_alone(
    searches: tuple[Search, Search], reports: tuple[ReportPaths, ReportPaths]
) -> None:
    plain, hostile = (read_report(p.json, shown=True) for p in reports)
    for make in (summary_text, rank_text):
        assert_quiet(make(hostile))
        assert "[/nope]" in make(hostile)
        assert make(hostile).count("VERDICT") == make(plain).count("VERDICT")
        assert "\n| better" not in make(hostile)
    found = contrast(searches[1], searches[1])
    values = list(HOSTILE.values())
    found["differences"] = [{"key": v, "first": v, "second": v} for v in values]
    found["only_first"] = values
    assert_quiet(contrast_text(found))


def test_the_module_prints_text_alone(
    reports: tuple[ReportPaths, ReportPaths],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = replace(reports[1], html=tmp_path / "\x1b[31mred\n\udcff", explore=None)
    with monkeypatch.context() as patched:
        patched.setattr(analysis, "write_report", lambda *_: written)
        assert main(["results"]) == 0
    printed = capsys.readouterr().out
    assert_quiet(printed)
    assert printed.endswith("\\x1b[31mred\\n\\udcff\n") and "[/nope]" in printed
    assert main([str(tmp_path / "\x1b[2Jnone\nVERDICT: better")]) == 2
    failed = capsys.readouterr().err
    assert_quiet(failed)
    assert "\\x1b[2Jnone\\nVERDICT" in failed and failed.count("\n") == 1


def test_cells_hold_no_bars(reports: tuple[ReportPaths, ReportPaths]) -> None:
    """:func:`markdown_tables` splits at bars as Markdown does."""
    for name in strings(json.loads(reports[1].json.read_text(encoding="utf-8"))):
        cell = markdown(name)
        assert not re.search(r"(?<!\\)(?:\\\\)*\|", cell) and "\n" not in cell
