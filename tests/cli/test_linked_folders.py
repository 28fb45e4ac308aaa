"""A stranger's results folder, and a URL with a secret in it, on the command line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from fake_search import Plan, write

from fer_tune.cluster.jobs.download import MARK, fetch
from fer_tune.errors import ResultsError
from tests.command_line import Run
from tests.outside import Outside
from tests.undrawn import undrawn

NOT_FOLLOWED = "is a symbolic link, and links inside a results folder are not followed"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("made") / "results", Plan(pictures=120, trials=6))


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "results"))


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


@pytest.mark.parametrize("name", ["report", "report/figures", "report-merged", "report/report.md"])
@undrawn()
def test_a_report_is_not_written_through_a_link(
    name: str, run: Run, root: Path, outside: Outside
) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).symlink_to(outside.folder / ("inner/report.md" if "md" in name else "inner"))
    done = run("report", root)
    assert done.code == 2 and done.out == ""
    assert done.err.startswith(f"fer-tune: {root / name}: {NOT_FOLLOWED}.")
    outside.check()


@undrawn()
def test_out_may_be_a_link_but_not_what_is_in_it(
    run: Run, root: Path, outside: Outside, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/figures").symlink_to(outside.folder / "figures")
    (tmp_path / "elsewhere/report.md").write_text("![x](figures/old.svg)")
    done = run("report", root, "--out", tmp_path / "out")
    assert done.code == 2 and f"figures {NOT_FOLLOWED}" in done.err
    assert (tmp_path / "elsewhere/report.html").is_file()
    outside.check()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name", ["manifest.json", "thumbnails.parquet/test.parquet", "trials.parquet"]
)
@pytest.mark.parametrize("command", ["report", "rank", "compare"])
def test_nothing_is_read_through_a_link_and_no_pipe_waited_at(
    command: str, name: str, run: Run, root: Path, made: Path
) -> None:
    words = [command, made, root] if command == "compare" else [command, root]
    kept = root.parent / "kept"
    (root / name).rename(kept)
    (root / name).symlink_to(kept)
    done = run(*words)
    assert done.code == 2 and done.err.startswith(f"fer-tune: {root / name}: {NOT_FOLLOWED}.")
    (root / name).unlink()
    os.mkfifo(root / name)
    done = run(*words)
    assert done.code == 2
    assert done.err.startswith(f"fer-tune: {root / name}: is a named pipe, not a regular file.")


@pytest.mark.parametrize("name", ["manifest.json", "latency.json", "trials.parquet/all.parquet"])
def test_a_folder_in_place_of_a_file_is_one_message(name: str, run: Run, root: Path) -> None:
    (root / name).unlink(missing_ok=True)
    (root / name).mkdir()
    done = run("rank", root)
    assert done.code == 2 and done.err.startswith(f"fer-tune: {root / name}: ")


def test_fetch_again_writes_through_no_link(root: Path, outside: Outside, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK).write_text(f"{root}\n")
    (tmp_path / "out/trials.parquet").symlink_to(outside.folder)
    with pytest.raises(ResultsError, match=NOT_FOLLOWED):
        fetch(str(root), tmp_path / "out", None, checkpoints=False, show=False)
    outside.check()


COMMANDS = (
    ("search", "quickstart", "--data", "{}", "--dry-run"),
    ("search", "quickstart", "--data", "{}"),
    ("search", "quickstart", "--data={}"),
    ("search", "quickstart", "--data", "nowhere", "--results", "{}"),
    ("resume", "{}"),
    ("confirm", "{}", "--seeds", "3"),
    ("report", "{}"),
    ("report", "nowhere", "--out", "{}"),
    ("rank", "{}", "--json"),
    ("compare", "{}", "nowhere"),
    ("data", "audit", "{}"),
    ("data", "import", "synthetic:9", "--out", "{}"),
    ("data", "import", "{}", "--out", "out"),
    ("fetch", "{}", "--out", "out"),
)
URLS = (
    "s3://KEY:HUSH/SHUH@bucket/x",
    "s3://KEY:HUSH/SHUH@bucket",
    "s3://KEY:HUSH@SHUH@bucket/x",
    "s3://KEY:HUSH%ZZSHUH@bucket/x",
    "s3://KEY:HUSH SHUH@bucket/x",
    "s3:/KEY:HUSHSHUH@bucket/x",
    "s3://KEY:HUSHSHUH",
    "s3a://KEY:HUSHSHUH@bucket/x",
    "s3://bucket/x?secret_key=HUSH/SHUH",
    "s3://bucket/x?endpoint_override=user:HUSH@SHUH@host",
    "gs://KEY:HUSHSHUH@bucket/x",
)


@pytest.mark.usefixtures("asks_once")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_shows_the_secret_of_a_url(
    words: tuple[str, ...], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "0")
    for url in URLS:
        done = run(*(word.format(url) for word in words))
        assert done.code == 2 and "Traceback" not in done.err
        assert "HUSH" not in done.err + done.out and "SHUH" not in done.err + done.out, url
