"""What a search appends to, clears and writes stays in its results folder."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.tuning.log.event_store import Segments, read_lines
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.log.folder import make_folder, open_log
from fer_tune.tuning.log.log_file import log_file
from fer_tune.tuning.log.writer import only_writer
from fer_tune.tuning.monitor.mirrors import Journal, TensorBoard
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.raytune.tune_runner import _empty_ray_folder
from fer_tune.tuning.run import confirm_more, resume_search
from tests.outside import Outside
from tests.tuning.raytune.test_checkpoints import saved

NOT_FOLLOWED = "symbolic link, and links inside a results folder are not followed"


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A search that has begun."""
    folder = tmp_path / "results"
    Results(folder).write_manifest({"state": "interrupted"})
    EventLog.begin(folder, {"space": {"budget": {}}}).append("tick")
    return folder


ENTRIES = ["search.log", EVENTS_FILE, ".lock", ".writer", "optuna.journal", "latency.json"]
FOLDERS = ["ray", "checkpoints", "epochs.parquet", "tensorboard", "errors", "report"]


@pytest.mark.parametrize("name", [*ENTRIES, *FOLDERS])
def test_resume_and_confirm_refuse_a_link_and_change_nothing(
    name: str, root: Path, outside: Outside
) -> None:
    (root / name).unlink(missing_ok=True)
    (root / name).symlink_to(outside.folder if name in FOLDERS else outside.file)
    before = sorted(path.name for path in root.rglob("*"))
    options, console = SearchOptions(), Console(file=io.StringIO())
    for take_up in (
        lambda: resume_search(root, options, console),
        lambda: confirm_more(root, 2, options, console),
    ):
        with pytest.raises(ResultsError, match=NOT_FOLLOWED) as raised:
            take_up()
        assert str(raised.value).startswith(f"{root / name}: ")
    assert sorted(path.name for path in root.rglob("*")) == before
    outside.check()


# -- links that appear once the folder has been looked through --------------------------------


def _log(_: Path) -> None:
    logging.getLogger("fer_tune").warning("a line")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_the_log_is_not_written_through_a_link(
    link: Callable[..., None], root: Path, outside: Outside
) -> None:
    link(outside.file, root / "search.log")
    with pytest.raises(ResultsError, match=r"search\.log .*link"), log_file(root):
        _log(root)
    (root / "search.log").unlink()
    with log_file(root):
        link(outside.file, root / "search.log")
        _log(root)
    outside.check()


def test_the_log_is_written_where_there_is_none_and_where_there_is_one(root: Path) -> None:
    for _ in range(2):
        with log_file(root):
            _log(root)
    assert (root / "search.log").read_text().count("a line\n") == 2


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_events_are_neither_cut_nor_appended_through_a_link(
    link: Callable[..., None], root: Path, outside: Outside
) -> None:
    log, history = EventLog(root), History.read(root)
    (root / EVENTS_FILE).unlink()
    link(outside.file, root / EVENTS_FILE)
    with pytest.raises(ResultsError, match=r"events\.jsonl .*link") as raised:
        open_log(root, history, None)
    assert str(raised.value).startswith(f"{root}: cannot write")
    with pytest.raises(OSError, match="link"):
        log.append("tick")
    outside.check()


def test_a_snapshot_with_hard_links_does_not_end_the_search(root: Path, tmp_path: Path) -> None:
    (root / "optuna.journal").write_bytes(b"{}\n")
    searcher: Any = SimpleNamespace(studies=[])
    log, journal = EventLog(root), Journal(root / "optuna.journal", searcher)
    for number in range(2):
        shutil.copytree(root, tmp_path / f"snapshot-{number}", copy_function=os.link)
        log.append("tick")
        journal._check()
    assert len(list(read_lines(root / EVENTS_FILE))) == 4
    with pytest.raises(OSError, match="hard link"):
        EventLog(root)


def test_segments_are_not_written_through_a_link(root: Path, outside: Outside) -> None:
    (root / EVENTS_FILE).unlink()
    (root / EVENTS_FILE).mkdir()
    lines = Segments(root / EVENTS_FILE)
    lines.append(b"{}\n")
    assert (root / EVENTS_FILE / "000001").read_bytes() == b"{}\n"
    (root / EVENTS_FILE / "000001").unlink()
    (root / EVENTS_FILE).rmdir()
    (root / EVENTS_FILE).symlink_to(outside.folder)
    with pytest.raises(OSError, match=NOT_FOLLOWED):
        lines.append(b"{}\n")
    outside.check()


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/000003", "checkpoints/000003/0002"])
def test_checkpoints_are_neither_written_nor_removed_through_a_link(
    name: str, root: Path, outside: Outside
) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(outside.folder)
    if name.endswith("0002"):
        saved(root, 2)  # in place of the link
    else:
        with pytest.raises(OSError, match=NOT_FOLLOWED):
            saved(root, 2)
    Checkpoints(root, 3).drop()
    outside.check()


def test_old_checkpoints_are_not_removed_through_a_link(root: Path, outside: Outside) -> None:
    saved(root, 3, 4)
    (root / "checkpoints/000003/0001").symlink_to(outside.folder)
    saved(root, 5)
    Checkpoints(root, 3).drop()
    assert not (root / "checkpoints/000003").exists()
    outside.check()


def test_rays_folder_is_neither_cleared_nor_used_through_a_link(
    root: Path, outside: Outside
) -> None:
    (root / "ray").symlink_to(outside.folder)
    assert _empty_ray_folder(root) == root / "ray" and not (root / "ray").is_symlink()
    (root / "ray/search").mkdir()
    (root / "ray/search/more").symlink_to(outside.folder)
    assert list(_empty_ray_folder(root).iterdir()) == []
    outside.check()


def test_mirrors_are_not_written_through_links(root: Path, outside: Outside) -> None:
    journal, searcher = root / "optuna.journal", SimpleNamespace(studies=[])
    journal.symlink_to(outside.file)
    with pytest.raises(OSError, match=NOT_FOLLOWED):
        Journal(journal, searcher)  # type: ignore[arg-type]
    journal.unlink()
    mirror = Journal(journal, searcher)  # type: ignore[arg-type]
    journal.symlink_to(outside.folder / "new")
    study: Any = SimpleNamespace(name="a/0", ended_trials=1)
    searcher.studies.append(study)
    with pytest.raises(OSError, match=NOT_FOLLOWED):
        mirror.on_step_end()

    (root / "tensorboard").symlink_to(outside.folder)
    assignment: Any = SimpleNamespace(number=1, name="a/0/0001")
    with pytest.raises(OSError, match=NOT_FOLLOWED):
        TensorBoard(root / "tensorboard", History(identity={}))._writer(assignment)
    outside.check()


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_the_lock_is_taken_of_a_file_of_its_own(
    link: Callable[..., None], root: Path, outside: Outside
) -> None:
    link(outside.file, root / ".lock")
    with pytest.raises(ResultsError, match=r"cannot write here: \.lock .*link"), only_writer(root):
        pass
    (root / ".lock").unlink()
    link(outside.file, root / ".writer")
    with only_writer(root):
        assert not (root / ".writer").is_symlink()
    assert not (root / ".writer").exists()
    outside.check()


@pytest.mark.timeout(20)
def test_the_holder_of_the_lock_is_named_in_plain_text(root: Path) -> None:
    with only_writer(root):
        assert json.dumps((root / ".writer").read_text()).startswith('"process')
        (root / ".writer").write_bytes(b"process 1\x1b[2J\nof\xff" + b"x" * 10_000)
        with (
            pytest.raises(ResultsError, match=r"process 1\\x1b\[2J\\nof.x+ is") as raised,
            only_writer(root),
        ):
            pass
        assert len(str(raised.value)) < 500
        (root / ".writer").unlink()
        os.mkfifo(root / ".writer")
        with pytest.raises(ResultsError, match="another process is writing"), only_writer(root):
            pass


@pytest.mark.parametrize("name", [".writable", ".lock", "search.log", "manifest.json"])
def test_a_new_search_refuses_links_among_what_an_earlier_one_left(
    name: str, tmp_path: Path, outside: Outside
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / name).symlink_to(outside.file)
    with pytest.raises(ResultsError, match=NOT_FOLLOWED):
        make_folder(tmp_path / "new")
    outside.check()
