"""The three files: same numbers in each, same bytes twice, sound page, nothing to load."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_search import CLASSES, EPOCHS, Plan, write

import analysis
from analysis.report import ReportPaths, build
from analysis.report.quantities import flat
from analysis.terminal import summary_text
from fer_tune.records import Results

THREE = {"densenet161": 0.66, "resnet152": 0.62, "resnet50": 0.6}
STAGES = {
    "whole": Plan(),
    "studies": Plan(replicates=5, seeds=2, trials=15),
    "single": Plan(skill={"resnet50": 0.6}),
    "three": Plan(skill=THREE),
    "unconfirmed": Plan(confirmed=False, state="interrupted", floors=False),
    "nothing": Plan(trials=0, confirmed=False, state="running", floors=False),
    "processors": Plan(accelerated=False),
    "all failed": Plan(failures=1.0, confirmed=False, floors=False),
}


@pytest.fixture(scope="module", params=STAGES)
def paths(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    folder = tmp_path_factory.mktemp("results")
    return analysis.write_report(write(folder, STAGES[request.param]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    return analysis.write_report(write(tmp_path_factory.mktemp("whole"), Plan()))


def read(paths: ReportPaths) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(paths.json.read_text(encoding="utf-8"))
    return loaded


VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Page(HTMLParser):
    """Open tags, ids, links and the ``data`` elements of a page."""

    open: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    numbers: list[tuple[str, str, str]] = field(default_factory=list)
    title: str = ""
    pending: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src", "xlink:href") if name in found]
        self.pending = found if tag == "data" else {}
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
        if self.pending:
            self.numbers.append((self.pending["data-path"], self.pending["value"], data))
            self.pending = {}


def parse(paths: ReportPaths) -> Page:
    page = Page()
    page.feed(paths.html.read_text(encoding="utf-8"))
    page.close()
    return page


def at(report: Any, path: str) -> Any:
    for step in path.split("."):
        report = report[int(step)] if step.isdigit() else report[step]
    return report


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_page_is_sound_and_loads_nothing(paths: ReportPaths) -> None:
    page = parse(paths)
    assert page.open == []
    assert page.title.startswith("fake: ")
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") for link in page.links)
    text = paths.html.read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"\b(None|nan|Undefined)\b", text)


def test_page_shows_the_numbers_of_the_json(paths: ReportPaths) -> None:
    report, page = read(paths), parse(paths)
    for path, exact, shown in page.numbers:
        value = at(report, path)
        assert float(exact) == value, path
        # Differences are shown in points, one decimal; all else as it is, three decimals or two.
        scale, digit = (100, 0.05) if "difference" in path else (1, 0.0051)
        assert number(shown) == pytest.approx(scale * value, abs=digit + 1e-9), path
        if path.startswith(("arms", "floors")):
            assert number(shown) == pytest.approx(value, abs=0.0005 + 1e-9), path
    scored = [arm for arm in report["arms"] if arm["test_macro_f1"]]
    assert {f"arms.{i}.test_macro_f1.value" for i in range(len(scored))} <= {
        path for path, _, _ in page.numbers
    }


def markdown_row(paths: ReportPaths, name: str) -> list[str]:
    lines = paths.markdown.read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def test_markdown_shows_the_numbers_of_the_json(whole: ReportPaths) -> None:
    report = read(whole)
    for name, key in (("Test macro-F1", "test_macro_f1"), ("Test accuracy", "test_accuracy")):
        cells = markdown_row(whole, name)
        entries = [*report["arms"], *report["floors"]]
        assert len(cells) == len(entries) == 4
        for cell, entry in zip(cells, entries, strict=True):
            quantity = entry[key]
            expected = [v for v in (quantity[k] for k in ("value", "low", "high")) if v is not None]
            found = [float(text) for text in re.findall(r"\d\.\d+", cell)]
            assert found == pytest.approx(expected, abs=0.0005 + 1e-9)


def test_markdown_tables_are_whole(paths: ReportPaths) -> None:
    """Every table has a rule below its head and as many cells in each row."""
    text = paths.markdown.read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert tables
    for table in tables:
        rows = table.splitlines()
        assert re.fullmatch(r"\|(---\|)+", rows[1]), rows[:2]
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(widths) == 1, rows[0]
    for figure in re.findall(r"\]\(([^)]+)\)", text):
        assert (paths.markdown.parent / figure).exists()


def test_sentence_and_interval_come_from_the_numbers(whole: ReportPaths) -> None:
    report = read(whole)
    difference = report["pairs"][0]["difference"]
    found = re.search(
        r"by ([\d.]+) points .* interval \+([\d.]+) to", report["verdict"]["sentence"]
    )
    assert found is not None
    assert float(found[1]) == pytest.approx(100 * difference["value"], abs=0.05)
    assert float(found[2]) == pytest.approx(100 * difference["low"], abs=0.05)
    for text in (whole.html.read_text("utf-8"), whole.markdown.read_text("utf-8")):
        assert report["verdict"]["sentence"].split(";")[0] in text


def test_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "results", Plan(seeds=2))
    one = analysis.write_report(tmp_path / "results", tmp_path / "one")
    two = analysis.write_report(tmp_path / "results", tmp_path / "two")
    files = sorted(p.relative_to(one.html.parent) for p in one.html.parent.rglob("*.*"))
    assert {"curves.svg", "confusion.svg", "scores.svg"} <= {file.name for file in files}
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert two.json.exists()


def test_figures_are_titled_xml_in_the_pages_ink(whole: ReportPaths) -> None:
    space = "{http://www.w3.org/2000/svg}"
    for file in (whole.markdown.parent / "figures").glob("*.svg"):
        root = ET.fromstring(file.read_text(encoding="utf-8"))
        assert root.find(f"{space}title") is not None and root.find(f"{space}desc") is not None
        text = file.read_text(encoding="utf-8")
        assert "currentColor" in text and "#010203" not in text
        assert "<metadata" not in text


def test_json_tells_estimator_n_interval_and_unit(whole: ReportPaths) -> None:
    def quantities(tree: Any) -> list[dict[str, Any]]:
        if isinstance(tree, list):
            return [found for item in tree for found in quantities(item)]
        if not isinstance(tree, dict):
            return []
        if "estimator" in tree and "value" in tree:
            return [tree]
        return [found for item in tree.values() for found in quantities(item)]

    report = read(whole)
    found = quantities(report)
    assert len(found) > 20
    for one in found:
        assert {"value", "low", "high", "level", "n", "of", "unit", "estimator"} <= set(one)
        assert (one["low"] is None) == (one["level"] is None)
    assert report["schema_version"] == 1


def test_epochs_saved_add_up(paths: ReportPaths) -> None:
    for ending in read(paths)["endings"]:
        spared = sum(ending["saved"].values()) + ending["lost_to_failure"]
        assert ending["run"] + spared == ending["budget"]
        assert ending["budget"] == EPOCHS * sum(ending["states"].values())


def test_confusion_sums_over_runs(whole: ReportPaths) -> None:
    report = read(whole)
    recorded = Results(whole.json.parents[1]).read("predictions")
    mine = recorded[(recorded["arm"] == "resnet152")]
    expected = pd.crosstab(mine["true_class"], mine["predicted_class"]).loc[
        list(CLASSES), list(CLASSES)
    ]
    assert np.array_equal(report["confusion"][1]["counts"], expected.to_numpy())
    assert report["confusion"][1]["runs"] == 5


def test_trial_table_tells_shared_values_once(whole: ReportPaths) -> None:
    trials = read(whole)["trials"]
    names = [column["name"] for column in trials["columns"]]
    assert trials["shared"]["batch_size"] == 64 and "batch_size" not in names
    assert "lr_head" in names and "lr_head" not in trials["shared"]
    assert "backbone" not in names  # the arm says it
    assert len(trials["rows"]) == 24


def test_metric_by_loss_takes_the_lowest(tmp_path: Path) -> None:
    write(tmp_path, Plan(confirmed=False, floors=False))
    manifest = Results(tmp_path).manifest()
    Results(tmp_path).update_manifest(space={**manifest["space"], "metric": "loss"})
    search = analysis.load(tmp_path)
    report = read(analysis.write_report(tmp_path))
    able = search.trials[search.trials["state"].isin(["complete", "overfit"])]
    lowest = able.groupby("arm")["best_val_loss"].min()
    for arm in report["arms"]:
        assert arm["best_validation"]["value"] == pytest.approx(lowest[arm["arm"]])


def test_manifest_trees_become_rows() -> None:
    tree = {
        "copy_groups": 3,
        "counts": {"train": {"sad": 1, "fear": 2}},
        "gpus": [],
        "hw": {"a": 1},
    }
    assert flat(tree) == [
        {"name": "copy groups", "value": 3},
        {"name": "counts: train", "value": "sad 1, fear 2"},
        {"name": "gpus", "value": "none"},
        {"name": "hw", "value": "a 1"},
    ]
    assert flat({"many": list(range(9))}) == [{"name": "many", "value": "9 entries"}]


def test_intervals_of_scores_stay_scores(tmp_path: Path) -> None:
    write(tmp_path, Plan(seeds=2, seed_spread=0.15, seed=3))
    wide = [arm["test_macro_f1"] for arm in build(analysis.load(tmp_path))["arms"]]
    assert all(0 <= q["low"] < q["value"] < q["high"] <= 1 for q in wide)
    assert any(q["low"] == 0 or q["high"] == 1 for q in wide)


def test_names_are_escaped(tmp_path: Path) -> None:
    write(tmp_path, Plan(seeds=2), name="<b>&a|b")
    paths = analysis.write_report(tmp_path)
    text = paths.html.read_text(encoding="utf-8")
    assert "<b>" not in text and "&lt;b&gt;&amp;a|b" in text


def test_summary_for_the_terminal(paths: ReportPaths) -> None:
    report = read(paths)
    text = summary_text(report)
    assert text.startswith(f"VERDICT: {report['verdict']['chip']}\n")
    flat = " ".join(text.split())
    assert report["verdict"]["sentence"] in flat
    for arm in report["arms"]:
        assert arm["arm"] in text
        if arm["test_macro_f1"]:
            assert f"{arm['test_macro_f1']['value']:.3f}" in text
    for ending in report["endings"]:
        assert f"{ending['run']} of {ending['budget']} epochs run" in flat
    assert max(len(line) for line in text.splitlines()) <= 96


def test_a_search_that_has_said_nothing_yet(tmp_path: Path) -> None:
    Results(tmp_path).write_manifest({"state": "running", "name": "fake"})
    paths = analysis.write_report(tmp_path)
    assert parse(paths).title == "fake: no verdict"
    assert "No verdict" in summary_text(read(paths))
