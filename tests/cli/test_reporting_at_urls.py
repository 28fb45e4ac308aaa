"""`report`, `rank` and `compare` on results folders in an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_search import Plan, write

import analysis
from fer_tune.storage import put_folder
from tests.command_line import Run
from tests.object_store import ObjectStore
from tests.undrawn import undrawn


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, served: ObjectStore) -> Path:
    """Two results folders, here and at URLs that end in ``made/a`` and ``made/b``."""
    home = tmp_path_factory.mktemp("made")
    for number, name in enumerate("ab"):
        write(home / name, Plan(name="same", seed=number, pictures=120, trials=6))
        put_folder(home / name, served.folder(f"made/{name}"))
    return home


def test_frames_are_equal(store: ObjectStore, made: Path) -> None:
    here, there = analysis.load(made / "a"), analysis.load(store.url("made/a"))
    for name, frame in vars(here).items():
        other = getattr(there, name)
        if isinstance(frame, pd.DataFrame):
            pd.testing.assert_frame_equal(frame, other)
        elif name != "root":
            assert frame == other, name
    assert there.latency and len(there.epochs)


def test_the_report_stands_beside_the_records_and_is_the_same(
    run: Run, store: ObjectStore, made: Path
) -> None:
    folder = store.folder("made/a")
    before = set(store.keys(folder))
    done = run("report", store.url("made/a"))
    assert done.code == 0 and done.err == ""
    assert f"report: {folder / 'report/report.html'}" in done.out and "secret" not in done.out
    written = set(store.keys(folder)) - before
    assert {name.partition("/")[0] for name in written} == {"report"}
    assert run("report", made / "a").code == 0
    local = made / "a" / "report"
    assert written == {
        f"report/{p.relative_to(local).as_posix()}" for p in local.rglob("*") if p.is_file()
    }
    for name in written:
        assert (folder / name).read_bytes() == (made / "a" / name).read_bytes(), name


@undrawn()
def test_a_figure_that_is_no_longer_shown_goes(run: Run, store: ObjectStore, made: Path) -> None:
    folder = store.folder("made/b") / "report"
    (folder / "report.md").write_bytes(b"![old](figures/old.svg)\n![x](../manifest.json)\n")
    (folder / "figures/old.svg").write_bytes(b"<svg/>")
    (folder / "notes.txt").write_bytes(b"mine")
    assert run("report", store.url("made/b")).code == 0
    names = store.keys(folder)
    assert "figures/old.svg" not in names and "notes.txt" in names and "report.md" in names


@undrawn()
def test_several_become_one_beside_the_first(run: Run, store: ObjectStore, made: Path) -> None:
    done = run("report", store.url("made/a"), made / "b")
    where = store.folder("made/a") / "report-merged/report.html"
    assert done.code == 0 and f"report: {where}" in done.out and where.is_file()
    twice = run("report", store.url("made/a"), store.url("made/a"))
    assert twice.code == 2 and "given twice" in twice.err


@undrawn()
def test_out_may_be_at_a_url(run: Run, store: ObjectStore, made: Path) -> None:
    assert run("report", made / "a", "--out", store.url("out")).code == 0
    assert "report.html" in store.keys(store.folder("out"))


def test_rank_and_compare_say_the_same(run: Run, store: ObjectStore, made: Path) -> None:
    urls, paths = [store.url(f"made/{n}") for n in "ab"], [made / n for n in "ab"]
    for command in ("rank", "compare"):
        there, here = run(command, *urls, "--json"), run(command, *paths, "--json")
        assert there.code == here.code == 0
        text = there.out
        for name, path in zip("ab", paths, strict=True):
            text = text.replace(str(store.folder(f"made/{name}")), str(path))
        assert text == here.out and "secret" not in there.out
    same = run("compare", urls[0], urls[0])
    assert same.code == 2 and "same results folder" in same.err


FAULTS: dict[str, tuple[str, list[str]]] = {
    "no search there": ("report {nothing}", ["no manifest.json here"]),
    "no such bucket": ("rank {bucket}", ["there is no such bucket"]),
    "another scheme": (
        "report ftp://u:secret@h/x",
        ["ftp:// is not a supported store", "s3://BUCKET"],
    ),
    "no bucket": ("compare s3:///x s3://b/x", ["names no bucket"]),
    "out in no bucket": (
        "report {made} --out {bucket}",
        ["the report cannot be written: there is no such bucket", "--out"],
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_bad_input_is_one_message(case: str, run: Run, store: ObjectStore, made: Path) -> None:
    command, expected = FAULTS[case]
    urls: dict[str, Any] = {
        "nothing": store.url("nothing"),
        "bucket": store.url("x", bucket="nobodys"),
        "made": store.url("made/a"),
    }
    done = run(*command.format(**urls).split())
    assert done.code == 2 and done.out == "" and done.err.count("\n") == 1, done
    assert "Traceback" not in done.err and "secret" not in done.err
    for phrase in expected:
        assert phrase in done.err, done.err


def test_wrong_credentials_are_one_message(run: Run, store: ObjectStore, made: Path) -> None:
    from moto.core import set_initial_no_auth_action_count

    done = set_initial_no_auth_action_count(0)(lambda: run("report", store.url("made/a")))()
    assert done.code == 2 and done.err.count("\n") == 1 and "denies access" in done.err
