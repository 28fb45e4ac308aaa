"""`report`, `rank` and `compare` as a user meets them, on made-up results folders."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from fake_search import Plan, write

from tests.command_line import Run
from tests.undrawn import undrawn

REPORT = {"report.html", "report.md", "report.json"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results folders of one search: ``a`` to ``e`` of five seeds, ``more`` of more trials."""
    home = tmp_path_factory.mktemp("made")
    for number, name in enumerate("abcde"):
        write(home / name, Plan(name="same", seed=number, pictures=120, trials=6))
    write(home / "more", Plan(name="same", seed=5, pictures=120, trials=8))
    return home


@pytest.fixture
def folders(made: Path, tmp_path: Path) -> Path:
    """The same folders without reports, and rubbish beside them."""
    for folder in made.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("rubbish")
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "manifest.json").write_text('{"schema_version": 1, ')
    return tmp_path


def tree(at: Path) -> dict[str, str]:
    """Every file and folder beneath, links followed, with a digest of its content."""
    return {
        os.path.join(root, name): _digest(Path(root, name))
        for root, inner, files in os.walk(at, followlinks=True)
        for name in (*inner, *files)
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


def read(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return document


def test_report_of_one_folder_stands_inside_it(run: Run, tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", Plan(pictures=120, trials=6))
    before = set(tree(folder))
    done = run("report", folder)
    assert done.code == 0 and done.err == ""
    assert f"report: {folder / 'report/report.html'}" in done.out
    document = read(folder / "report")
    assert " ".join(document["verdict"]["sentence"].split()) in " ".join(done.out.split())
    page = (folder / "report/report.html").read_text(encoding="utf-8")
    assert "<img" in page, "test pictures by default"
    new = {Path(path).relative_to(folder).parts[0] for path in set(tree(folder)) - before}
    assert new == {"report"}, "records are read, never written"


@undrawn()
def test_report_of_several_folders_is_one(run: Run, folders: Path) -> None:
    parts = [folders / name for name in "abcde"]
    done = run("report", *parts, "--out", folders / "merged")
    assert done.code == 0, done.err
    document = read(folders / "merged")
    assert document["arms"][0]["trials"]["total"] == 5 * 6
    assert document["pairs"][0]["scope"] == "families"
    assert not (folders / "a/report-merged").exists(), "with --out nothing is written elsewhere"
    assert {path.name for path in (folders / "merged").iterdir()} >= {*REPORT, "figures"}


@undrawn()
def test_without_out_several_go_beside_the_first(run: Run, tmp_path: Path) -> None:
    parts = [write(tmp_path / str(k), Plan(seed=k, pictures=120, trials=6)) for k in range(2)]
    done = run("report", *parts)
    assert done.code == 0 and f"report: {parts[0] / 'report-merged/report.html'}" in done.out
    assert not (parts[1] / "report-merged").exists()


@undrawn()
def test_settings_reach_the_report(run: Run, folders: Path) -> None:
    words = ["--smallest-effect", "0.2", "--failed-share", "0.5", "--no-gallery"]
    words += ["--price-per-hour", "2.5", "--currency", "CHF"]
    done = run("report", folders / "a", "--out", folders / "set", *words)
    assert done.code == 0, done.err
    document = read(folders / "set")
    assert document["settings"] == {
        "smallest_effect": 0.2,
        "failed_share": 0.5,
        "price_per_hour": 2.5,
        "currency": "CHF",
        "gallery": False,
    }
    assert document["verdict"]["kind"] == "small", "four points are little where 20 matter"
    page = (folders / "set/report.html").read_text(encoding="utf-8")
    assert "CHF" in page and "<img" not in page


@undrawn()
def test_what_else_stands_there_is_left_alone(run: Run, folders: Path) -> None:
    mine = [folders / "o/notes.txt", folders / "o/figures/face.svg"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    assert run("report", folders / "a", "--out", folders / "o").code == 0
    assert [path.exists() and path.read_text() for path in mine] == ["mine", "mine"]


def test_rank_prints_verdict_and_arms_and_writes_nothing(run: Run, folders: Path) -> None:
    before = tree(folders)
    done = run("rank", folders / "a")
    assert done.code == 0 and done.err == ""
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 96
    arms = [line.split()[0] for line in lines if line.startswith(("densenet161  ", "resnet152  "))]
    assert arms[:2] == ["densenet161", "resnet152"], "the better one first"
    assert "better" in done.out and "P(first > second)" in done.out
    assert tree(folders) == before


def test_rank_of_several_ranks_the_merged_search(run: Run, folders: Path) -> None:
    done = run("rank", *(folders / name for name in "abcde"), "--json")
    output = json.loads(done.out)
    assert output["arms"][0]["test_macro_f1"]["n"] == 5
    assert output["search"]["unit"] == "study"


@undrawn()
def test_rank_as_json_says_what_the_report_says(run: Run, folders: Path) -> None:
    assert run("report", folders / "a", "--out", folders / "out").code == 0
    document = read(folders / "out")
    done = run("rank", folders / "a", "--json")
    output = json.loads(done.out)
    assert done.code == 0 and {"verdict", "pairs", "arms", "floors"} <= set(output)
    assert output == {key: document[key] for key in output}


def test_rank_takes_the_smallest_effect(run: Run, folders: Path) -> None:
    words = ("rank", folders / "a", "--json", "--smallest-effect")
    kinds = [json.loads(run(*words, value).out)["verdict"]["kind"] for value in ("0.001", "0.2")]
    assert kinds == ["better", "small"]


def test_compare_prints_what_differs_and_writes_nothing(run: Run, folders: Path) -> None:
    before = tree(folders)
    done = run("compare", folders / "a", folders / "more")
    assert done.code == 0 and done.err == ""
    assert f"A: {folders / 'a'}" in done.out and f"B: {folders / 'more'}" in done.out
    assert ["setting", "A", "B"] in [line.split() for line in done.out.splitlines()]
    assert "space.budget.trials  12" in done.out
    assert "B - A, points" in done.out
    assert tree(folders) == before


def test_compare_as_json(run: Run, folders: Path) -> None:
    done = run("compare", folders / "a", folders / "more", "--json")
    output = json.loads(done.out)
    assert [arm["arm"] for arm in output["arms"]] == ["densenet161", "resnet152"]
    assert output["differences"] == [{"key": "space.budget.trials", "first": 12, "second": 16}]
    for arm in output["arms"]:
        change = arm["second"]["value"] - arm["first"]["value"]
        assert arm["change"]["value"] == pytest.approx(change)


FAULTS = {
    "report of no folder": ("report {t}/none", ["T/none", "manifest.json"]),
    "report of an empty folder": ("report {t}/empty", ["T/empty", "not a results folder"]),
    "report of a file": ("report {t}/file", ["T/file", "not a results folder"]),
    "report of a torn folder": ("report {t}/torn", ["T/torn", "manifest.json"]),
    "second of several is none": ("report {t}/a {t}/empty --out {t}/o", ["T/empty"]),
    "report of one folder twice": (
        "report {t}/a {t}/b {t}/a --out {t}/o",
        ["T/a", "given twice", "once"],
    ),
    "no effect matters": (
        "report {t}/a --out {t}/o --smallest-effect 0",
        ["--smallest-effect", "above 0", "got 0.0"],
    ),
    "effect in points": (
        "report {t}/a --out {t}/o --smallest-effect 1",
        ["--smallest-effect", "below 1", "0.01 is one point"],
    ),
    "effect of no number": (
        "report {t}/a --out {t}/o --smallest-effect nan",
        ["--smallest-effect"],
    ),
    "share above all": (
        "report {t}/a --out {t}/o --failed-share 20",
        ["--failed-share", "from 0 to 1", "got 20.0"],
    ),
    "negative price": (
        "report {t}/a --out {t}/o --price-per-hour -1",
        ["--price-per-hour", "at least 0", "got -1.0"],
    ),
    "endless price": ("report {t}/a --out {t}/o --price-per-hour inf", ["--price-per-hour"]),
    "out is a file": ("report {t}/a --out {t}/file", ["T/file", "cannot be written", "--out"]),
    "out below a file": ("report {t}/a --out {t}/file/o", ["cannot be written", "--out"]),
    "out where nothing can be written": (
        "report {t}/a --out /proc/o",
        ["/proc/o", "cannot be written", "--out"],
    ),
    "rank of no folder": ("rank {t}/none", ["T/none", "manifest.json"]),
    "rank of an empty folder": ("rank {t}/empty --json", ["T/empty", "not a results folder"]),
    "rank of one folder twice": ("rank {t}/a {t}/a", ["given twice"]),
    "rank with no effect": ("rank {t}/a --smallest-effect -0.1", ["--smallest-effect"]),
    "compare with no folder": ("compare {t}/a {t}/none", ["T/none", "manifest.json"]),
    "compare no folder": ("compare {t}/empty {t}/a", ["T/empty", "not a results folder"]),
    "compare a folder with itself": (
        "compare {t}/a {t}/a --json",
        ["T/a", "same results folder", "two different"],
    ),
    "compare with a share of -1": ("compare {t}/a {t}/b --failed-share -1", ["--failed-share"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_bad_input_is_one_message_and_leaves_nothing(case: str, run: Run, folders: Path) -> None:
    command, expected = FAULTS[case]
    before = tree(folders)
    done = run(*command.replace("{t}", str(folders)).split())
    assert done.code == 2, done
    assert done.out == "" and done.err.startswith("fer-tune: ") and done.err.count("\n") == 1
    message = done.err.replace(str(folders), "T")
    for phrase in expected:
        assert phrase in message, message
    assert "Traceback" not in message and len(message) < 400, message
    assert tree(folders) == before, "nothing half-written, nothing changed"


def test_nothing_is_built_for_a_folder_that_cannot_be_written(
    run: Run, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(*_: object) -> None:
        raise AssertionError("a report was built")

    monkeypatch.setattr("analysis.report.build", built)
    for out in (folders / "file", folders / "file/o", Path("/proc/o")):
        done = run("report", folders / "a", "--out", out)
        assert done.code == 2 and "cannot be written" in done.err and str(out) in done.err
    with pytest.raises(AssertionError, match="was built"):
        run("report", folders / "a", "--out", folders / "o")


USAGE = {
    "report of nothing": ("report", "RESULTS"),
    "rank of nothing": ("rank", "RESULTS"),
    "compare of one": ("compare {t}/a", "SECOND"),
    "effect in words": ("report {t}/a --smallest-effect much", "--smallest-effect"),
    "price in words": ("report {t}/a --price-per-hour free", "--price-per-hour"),
}


@pytest.mark.parametrize("case", USAGE)
def test_what_is_missing_or_no_number_is_named(case: str, run: Run, folders: Path) -> None:
    command, name = USAGE[case]
    before = tree(folders)
    done = run(*command.replace("{t}", str(folders)).split())
    assert done.code == 2 and done.out == "" and "Traceback" not in done.err
    assert name.lower() in done.err.lower()
    assert tree(folders) == before


def test_searches_of_other_classes_are_not_merged(run: Run, folders: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", Plan(pictures=120), classes=["happy", "sad"])
    before = tree(folders)
    done = run("report", folders / "a", other, "--out", folders / "o")
    assert done.code == 2 and "their classes differ" in done.err
    assert tree(folders) == before
