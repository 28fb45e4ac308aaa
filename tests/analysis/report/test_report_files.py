"""The three files: same numbers in each, same bytes twice, sound page, nothing to load."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from fake_search import EPOCHS, Plan, write
from report_reading import at, figures_in, markdown_tables, parse, quantities, read

import analysis
from analysis.outputs.terminal import rank_text, summary_text
from analysis.report import ReportPaths, _figures_of, build
from analysis.report.presentation.svg import draw
from analysis.report.quantities import flat
from analysis.report.reading import typed
from analysis.settings import Settings
from fer_tune.errors import UserError
from fer_tune.records import Results
from fer_tune.schema.limits import GIB

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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    return analysis.write_report(write(tmp_path_factory.mktemp("whole"), STAGES["whole"]))


@pytest.fixture(scope="module", params=STAGES)
def paths(
    request: pytest.FixtureRequest, whole: ReportPaths, tmp_path_factory: pytest.TempPathFactory
) -> ReportPaths:
    if request.param == "whole":
        return whole
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        # The interactive plots at every stage are tested in test_explore.py.
        patch.setattr("analysis.outputs.explore.write_explore", lambda *_, **__: None)
        return analysis.write_report(write(folder, STAGES[request.param]))


def test_page_is_sound_and_loads_nothing(paths: ReportPaths) -> None:
    page = parse(paths)
    assert page.open == []
    assert page.title.startswith("fake: ")
    assert len(page.ids) == len(set(page.ids))
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    text = paths.html.read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert not re.search(r"\b(None|nan|Undefined)\b", text)


def test_page_shows_the_numbers_of_the_json(paths: ReportPaths) -> None:
    """Each number carries its exact value and its place; what is printed is that value, rounded."""
    report, page = read(paths), parse(paths)
    for path, exact, shown in page.numbers:
        value = at(report, path)
        assert float(exact) == value, path
        assert _is_rounding_of(shown, value), (path, shown, value)
    confirmed = [arm for arm in report["arms"] if arm["test_macro_f1"]]
    assert {f"arms.{i}.test_macro_f1.value" for i in range(len(confirmed))} <= {
        path for path, _, _ in page.numbers
    }


def _is_rounding_of(shown: str, value: float) -> bool:
    """As it is, in points or per cent, in millions, or (< 0.001) as a bound."""
    if shown.startswith("<"):
        return 0 < value < float(figures_in(shown)[0])
    text = figures_in(shown)[0].replace(",", "").replace("\N{MINUS SIGN}", "-")
    digits = len(text.partition(".")[2].partition("e")[0])
    number = float(text)
    close = 0.5 * 10**-digits * (1 + 1e-9)
    scales = (1, 100, 1e-6, 1 / 60, 1 / 3600)
    significant = abs(number - value) <= 0.006 * abs(value)  # .3g
    return significant or any(abs(number - scale * value) <= close + 1e-9 for scale in scales)


def test_a_wrong_number_would_be_seen() -> None:
    assert _is_rounding_of("0.646", 0.6461) and not _is_rounding_of("0.646", 0.6411)
    assert _is_rounding_of("+3.6", 0.0361) and not _is_rounding_of("+3.6", 0.0375)
    assert _is_rounding_of("26.5 M", 26_485_254) and not _is_rounding_of("26.5 M", 28_000_000)
    assert _is_rounding_of("< 0.001", 0.0002) and not _is_rounding_of("< 0.001", 0.01)


def test_page_and_markdown_tell_the_same_numbers(paths: ReportPaths) -> None:
    """Every table of the Markdown stands in the page with the same figures, and the reverse."""
    page, text = parse(paths), paths.markdown.read_text(encoding="utf-8")
    in_page = sorted(_numbers("\n".join(cells)) for cells in page.cells.values())
    tables = markdown_tables(text)
    in_text = sorted(_numbers("\n".join(c for row in t[1:] for c in row)) for t in tables)
    assert in_page == in_text
    assert any(in_page)


def _numbers(text: str) -> list[str]:
    return figures_in(text.replace("\\", ""))


def test_markdown_tables_are_whole_and_figures_there(paths: ReportPaths) -> None:
    text = paths.markdown.read_text(encoding="utf-8")
    tables = markdown_tables(text)
    assert tables
    for rows in tables:
        assert {len(row) for row in rows} == {len(rows[0])}, rows[0]
    for figure in re.findall(r"\]\((figures/[^)]+)\)", text):
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


def test_first_screen_holds_verdict_interval_reason_arms_and_checks(whole: ReportPaths) -> None:
    text = whole.html.read_text(encoding="utf-8")
    first = text[: text.index("<nav")]
    for words in ("better", "95 % interval", "Because the interval excludes zero", 'id="arms"'):
        assert words in first
    assert 'id="validity"' in first and 'class="forest' in first


def test_same_records_give_the_same_bytes(whole: ReportPaths, tmp_path: Path) -> None:
    write(tmp_path / "results", Plan())
    again = analysis.write_report(tmp_path / "results", tmp_path / "again")
    first, second = whole.html.parent, again.html.parent
    files = sorted(p.relative_to(first) for p in first.rglob("*.*"))
    assert len(files) > 10
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
    assert again.json.exists()


def test_figures_are_titled_xml_in_the_pages_ink(whole: ReportPaths) -> None:
    space = "{http://www.w3.org/2000/svg}"
    files = list((whole.markdown.parent / "figures").glob("*.svg"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        root = ET.fromstring(text)
        assert root.find(f"{space}title") is not None and root.find(f"{space}desc") is not None
        assert "currentColor" in text and "#010203" not in text
        assert "<metadata" not in text
        assert text.count("font-family") == 1 and "font-family" in root.attrib


def test_figures_hold_no_decimals_that_cannot_be_seen(whole: ReportPaths) -> None:
    for file in (whole.markdown.parent / "figures").glob("*.svg"):
        for element in ET.parse(file).iter():
            for name in element.attrib.keys() & {"d", "x", "y", "transform"}:
                assert not re.search(r"\.\d{3}", element.attrib[name]), file


def test_words_in_a_figure_are_not_rounded() -> None:
    drawing = draw("one", "One", "0.12345", (2, 1), lambda f: f.text(0.12345, 0.5, "x = 0.12345"))
    assert '<desc id="one-desc">0.12345</desc>' in drawing.svg
    assert ">x = 0.12345</text>" in drawing.svg
    assert draw("one", "", "", (2, 1), lambda f: f.text(-0.00001, 0.5, "y")).svg.count('x="0"') == 1


def test_json_tells_estimator_n_interval_and_unit(whole: ReportPaths) -> None:
    report = read(whole)
    found = list(quantities(report))
    assert len(found) > 20
    for one in found:
        assert {"value", "low", "high", "level", "n", "of", "unit", "estimator"} <= set(one)
        if one["low"] is not None or one["high"] is not None:
            assert one["level"] is not None
    assert report["schema_version"] == 2
    assert report["settings"]["smallest_effect"] == 0.01


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
    write(tmp_path, Plan(trials=3, seeds=2), name="<b>&a|b")
    paths = analysis.write_report(tmp_path)
    text = paths.html.read_text(encoding="utf-8")
    assert "<b>" not in text and "&lt;b&gt;&amp;a|b" in text


def test_summary_for_the_terminal(paths: ReportPaths) -> None:
    report = read(paths)
    text = summary_text(typed(report, shown=True))
    assert text.startswith(f"VERDICT: {report['verdict']['chip']}\n")
    flat = " ".join(text.split())
    for said in (report["verdict"]["sentence"], *report["verdict"]["notes"]):
        assert said in flat
    for arm in report["arms"]:
        assert arm["arm"] in text
        if arm["test_macro_f1"]:
            assert f"{arm['test_macro_f1']['value']:.3f}" in text
        assert f"{arm['epochs']['run']} of {arm['epochs']['allowed']} epochs run" in flat
        assert arm["epochs"]["allowed"] == EPOCHS * arm["trials"]["total"]
    assert max(len(line) for line in text.splitlines()) <= 96


def test_ranking_for_the_terminal(tmp_path: Path) -> None:
    report = build(analysis.load(write(tmp_path, Plan(skill=dict(reversed(THREE.items()))))))
    text = rank_text(typed(report, shown=True))
    places = [text.index(f"\n{arm} ") for arm in ("densenet161", "resnet152", "resnet50")]
    assert places == sorted(places)
    assert text.count(" - ") >= len(report["pairs"]) == 3


def test_a_search_that_has_said_nothing_yet(tmp_path: Path) -> None:
    Results(tmp_path).write_manifest({"state": "running", "name": "fake"})
    paths = analysis.write_report(tmp_path)
    assert parse(paths).title == "fake: no verdict"
    assert "No verdict" in summary_text(typed(read(paths), shown=True))
    assert rank_text(typed(read(paths), shown=True)).startswith("VERDICT: no verdict")


@pytest.mark.parametrize(
    ("name", "value"),
    [("smallest_effect", 0.0), ("smallest_effect", 1.0), ("smallest_effect", float("nan")),
     ("failed_share", 1.5), ("price_per_hour", -1.0)],
)  # fmt: skip
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    option = "--" + name.replace("_", "-")
    with pytest.raises(UserError, match=option):
        Settings(**{name: value})


def test_an_earlier_reports_figures_go_and_the_users_own_stay(
    whole: ReportPaths, tmp_path: Path
) -> None:
    open_, out = tmp_path / "open", tmp_path / "out"
    write(open_, Plan(trials=2, confirmed=False, floors=False))
    shutil.copytree(whole.html.parent, out)
    assert (out / "figures" / "forest.svg").exists()
    (out / "figures" / "mine.svg").write_text("<svg/>", encoding="utf-8")
    analysis.write_report(open_, out)
    assert not (out / "figures" / "forest.svg").exists()
    assert (out / "figures" / "mine.svg").exists()


def test_a_report_md_that_is_too_large_names_no_figures(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_bytes(b"![a](figures/a.svg)\n")
    assert _figures_of(tmp_path / "report.md") == {"figures/a.svg"}
    with (tmp_path / "report.md").open("rb+") as file:
        file.truncate(6 * GIB)  # a hole, which takes no disk
    assert _figures_of(tmp_path / "report.md") == set()
