"""Links and special files in a results folder lead nowhere: nothing outside is read or changed."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.storage import (
    read_bytes,
    refuse_links,
    remove_file,
    remove_partial_files,
    remove_tree,
    write_atomically,
)
from fer_tune.storage.links import open_file
from tests.outside import Outside


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    results = Results(tmp_path / "results")
    results.write_manifest({"state": "finished"})
    results.append("trials", [{"trial": 1}], part="trial-000001")
    return tmp_path / "results"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = os.open(path.parent, os.O_RDONLY)
        one.bind(f"/proc/self/fd/{here}/{path.name}")  # a path of a socket must be short
        os.close(here)


PLANTED: dict[str, tuple[Callable[[Path], object], str]] = {
    "link to a file": (lambda path: path.symlink_to("/etc/passwd"), "is a symbolic link"),
    "link to a folder": (lambda path: path.symlink_to("/etc"), "is a symbolic link"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "is a symbolic link"),
    "link to the folder itself": (lambda path: path.symlink_to("."), "is a symbolic link"),
    "pipe": (os.mkfifo, "is a named pipe"),
    "socket": (_socket, "is a socket"),
}


@pytest.mark.parametrize("name", ["search.log", "trials.parquet/x", "a/b/c", ".writer"])
@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.timeout(20)
def test_a_folder_with_a_link_or_special_file_is_not_opened(
    kind: str, name: str, root: Path
) -> None:
    plant, message = PLANTED[kind]
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    plant(root / name)
    with pytest.raises(ResultsError, match=message) as raised:
        Results.open(root)
    assert str(raised.value).startswith(f"{root / name}: ") and "Remove it" in str(raised.value)


@pytest.mark.parametrize("kind", ["link to a file", "pipe"])
@pytest.mark.timeout(20)
def test_the_manifest_itself_is_looked_at_before_it_is_read(kind: str, root: Path) -> None:
    plant, message = PLANTED[kind]
    (root / "manifest.json").unlink()
    plant(root / "manifest.json")
    with pytest.raises(ResultsError, match=message) as raised:
        Results.open(root)
    assert "root:" not in str(raised.value)


def test_a_name_that_is_no_text_is_shown_without_harm(root: Path) -> None:
    (root / os.fsdecode(b"a\x1b[2J\n\xff")).symlink_to("x")
    with pytest.raises(ResultsError, match="symbolic link") as raised:
        Results.open(root)
    assert str(raised.value).encode().isascii() or "\ufffd" in str(raised.value)
    assert "\x1b" not in str(raised.value) and "\n" not in str(raised.value)


def test_the_results_folder_may_be_a_link_and_lie_below_one(root: Path, tmp_path: Path) -> None:
    (tmp_path / "direct").symlink_to(root)
    (tmp_path / "above").symlink_to(tmp_path)
    for way in (tmp_path / "direct", tmp_path / "above/results", tmp_path / "above/direct"):
        results = Results.open(way)
        results.append("trials", [{"trial": 2}], part="trial-000002")
        assert results.read("trials")["trial"].tolist() == [1, 2]
        results.remove("trials", "trial-000002")
        assert Results.open(root).read("trials")["trial"].tolist() == [1]


def test_a_lock_that_optuna_left_behind_is_no_reason_to_refuse(root: Path) -> None:
    (root / "optuna.journal.lock").symlink_to(root / "optuna.journal")
    assert Results.open(root).manifest()["state"] == "finished"


def test_what_vanishes_while_it_is_looked_at_is_passed_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (root / f"trials.parquet/.{number}").touch()
        (root / f"checkpoints/{number}").mkdir(parents=True)
    scandir = os.scandir

    def racing(folder: str) -> object:
        entries = scandir(folder)
        for number in range(300):
            (root / f"trials.parquet/.{number}").unlink(missing_ok=True)
            if (root / f"checkpoints/{number}").exists():
                (root / f"checkpoints/{number}").rmdir()
        return entries

    monkeypatch.setattr(os, "scandir", racing)
    refuse_links(root)


def nested(root: Path) -> None:
    """Folders whose path is longer than the system takes."""
    folder = os.open(root, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("n" * 200, dir_fd=folder)
        inner = os.open("n" * 200, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)


def test_folders_nested_too_deeply_are_one_short_message(root: Path) -> None:
    nested(root)
    with pytest.raises(ResultsError, match=r"cannot be searched for links: File name too") as error:
        Results.open(root)
    assert len(str(error.value)) < 1000


def test_a_folder_removed_on_nfs_is_skipped_and_a_bad_disk_reported(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = errno.ESTALE

    def refusing(_: str) -> object:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "scandir", refusing)
    refuse_links(root)
    code = errno.EIO
    with pytest.raises(ResultsError, match="Input/output error"):
        refuse_links(root)


def test_a_folder_that_is_none_of_a_search_is_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "scandir", None)
    with pytest.raises(ResultsError, match=r"no manifest\.json here"):
        Results.open(tmp_path)


# -- a link that appears after the folder was opened ------------------------------------------


def test_a_part_is_not_written_through_a_folder_that_became_a_link(
    root: Path, outside: Outside
) -> None:
    results = Results.open(root)
    (root / "epochs.parquet").symlink_to(outside.folder)
    with pytest.raises(OSError, match="symbolic link"):
        results.append("epochs", [{"trial": 1}], part="keep")
    with pytest.raises(OSError, match="symbolic link"):
        results.remove("epochs", "keep")
    outside.check()


def test_a_file_that_became_a_link_is_replaced_not_followed(root: Path, outside: Outside) -> None:
    results = Results.open(root)
    (root / "manifest.json").unlink()
    (root / "manifest.json").symlink_to(outside.file)
    with pytest.raises(ResultsError, match="symbolic link"):
        results.manifest()
    results.write_manifest({"state": "running"})
    assert not (root / "manifest.json").is_symlink()
    outside.check()


def test_folders_are_made_and_removed_below_the_root_alone(
    tmp_path: Path, outside: Outside
) -> None:
    write_atomically(tmp_path / "new/a/b/c.txt", "text", within=tmp_path / "new")
    assert (tmp_path / "new/a/b/c.txt").read_text() == "text"
    remove_file(tmp_path / "new/a/b/c.txt", within=tmp_path / "new")
    remove_file(tmp_path / "new/a/b/c.txt", within=tmp_path / "new")
    remove_file(tmp_path / "new/nothing/c.txt", within=tmp_path / "new")
    assert list((tmp_path / "new/a/b").iterdir()) == []
    (tmp_path / "new/a/b/d").symlink_to(outside.folder)
    remove_tree(tmp_path / "new/a/b/d/inner", within=tmp_path / "new")
    remove_tree(tmp_path / "new/a/b/d", within=tmp_path / "new")
    remove_tree(tmp_path / "new/a", within=tmp_path / "new")
    remove_tree(tmp_path / "new/a", within=tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    outside.check()


@pytest.mark.timeout(20)
def test_a_pipe_or_folder_in_place_of_a_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, message in (("pipe", "named pipe"), ("folder", "folder")):
        with pytest.raises(OSError, match=message):
            read_bytes(tmp_path / name)
    for flags in (os.O_WRONLY | os.O_APPEND, os.O_RDWR):
        with pytest.raises(OSError, match="named pipe"):
            open_file(tmp_path / "pipe", flags)


def test_a_file_with_another_name_is_read_but_not_written_in_place(
    tmp_path: Path, outside: Outside
) -> None:
    os.link(outside.file, tmp_path / "linked")
    assert read_bytes(tmp_path / "linked") == outside.file.read_bytes()
    with pytest.raises(OSError, match="hard link"):
        open_file(tmp_path / "linked", os.O_WRONLY | os.O_APPEND)
    write_atomically(tmp_path / "linked", "replaced")
    assert (tmp_path / "linked").read_text() == "replaced"
    outside.check()


# -- what a kill leaves -------------------------------------------------------------------------


def test_a_kill_between_writing_and_renaming_leaves_what_is_removed(tmp_path: Path) -> None:
    kept = ["manifest.json", ".lock", ".hidden.txt", f".{'0' * 31}", "models/a/card.json"]
    besides = ["checkpoints/0"]
    for name in kept:
        write_atomically(tmp_path / name, name, within=tmp_path)
    for folder in (".", "models/a", *besides):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        code = (
            "import os, sys, signal; from pathlib import Path\n"
            "from fer_tune.storage import write_atomically\n"
            "os.replace = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
            "write_atomically(Path(sys.argv[1]) / 'state.json', 'half')\n"
        )
        killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / folder)], check=False)
        assert killed.returncode == -signal.SIGKILL
    (elsewhere := tmp_path.parent / f"{tmp_path.name}-elsewhere").mkdir()
    (elsewhere / f".x.{'0' * 32}").touch()
    (tmp_path / "link").symlink_to(elsewhere)

    def found() -> set[str]:
        return {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}

    assert len(found()) == len(kept) + 3
    remove_partial_files(tmp_path, besides=["checkpoints"])
    (left,) = found() - set(kept)
    assert left.startswith("checkpoints/0/.state.json.") and found() > set(kept)
    assert list(elsewhere.iterdir())
