"""The report: topics apart, chapters from ``report.json`` alone."""

from __future__ import annotations

from pathlib import Path

from analysis.report.topics import TOPICS
from tests.house import ENTRIES, REPORT, module_file, ours

#: What a chapter may import of ours, besides the modules of its topic.
PRESENTING = {
    "analysis.formats",
    "analysis.settings",
    "analysis.report.presentation",
    "analysis.report.schema",
    "analysis.report.values",
}


def beyond_the_chapter(topic: str, start: Path) -> list[str]:
    """Imports of ``start``, and of what it imports of its topic, that are not for presenting."""
    own, seen, queue, wrong = f"analysis.report.{topic}", set(), [start], []
    while queue:
        path = queue.pop()
        for name in sorted(ours(path)):
            if name.startswith(f"{own}.") and (found := module_file(name)) not in seen:
                seen.add(found)
                queue.append(found)
            elif not name.startswith(own) and not any(
                name == allowed or name.startswith(f"{allowed}.") for allowed in PRESENTING
            ):
                wrong.append(name)
    return wrong


def topics() -> list[str]:
    return sorted(path.parent.name for path in REPORT.glob("*/section.py"))


def test_chapters_import_nothing_but_what_presents_report_json() -> None:
    starts = [path for name in ENTRIES for path in REPORT.glob(f"*/{name}.py")]
    assert len(starts) == len(topics())
    wrong = {str(path): beyond_the_chapter(path.parent.name, path) for path in starts}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_an_import_beyond_the_chapter_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "chapter.py"
    bad.write_text(
        "from analysis import formats\n"
        "from analysis.inputs.units import SEEDS_NEEDED\n"
        "from analysis.report.cost import figures\n"
        "from analysis.report.effect.tables import pairs\n"
        "from analysis.report.presentation.cells import cell\n"
        "from analysis.report.schema import Report\n"
        "from fer_tune.records import TRIAL_STATES\n"
    )
    assert beyond_the_chapter("cost", bad) == [
        "analysis.inputs.units",
        "analysis.report.effect.tables",
        "fer_tune.records",
    ]
    # A chapter that uses its own section reads the records through it.
    bad.write_text("from analysis.report.cost.section import section\n")
    assert "analysis.inputs.search" in beyond_the_chapter("cost", bad)


def test_no_topic_of_the_report_imports_another() -> None:
    apart = [*topics(), "presentation"]
    for topic in apart:
        for path in (REPORT / topic).glob("*.py"):
            names = {name for name in ours(path) if name.startswith("analysis.report.")}
            others = {name.split(".")[2] for name in names} - {topic, "presentation"}
            assert not others & set(apart), path


def test_every_topic_of_the_report_is_listed() -> None:
    assert {*TOPICS, "verdict"} == set(topics())
