"""Folders in which nobody else can put anything."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from fer_tune.storage import private
from fer_tune.storage.private import (
    is_private_file,
    is_private_folder,
    private_folder,
    private_lock,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
OTHER = 4711


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_a_new_folder_is_for_its_user_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        private_folder(tmp_path / "a/b")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a/b") == 0o700
    private_folder(tmp_path / "a/b")


def test_others_may_read_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path)
    assert mode(tmp_path) == 0o755, "left as its user wants it"


@pytest.mark.parametrize("bits", [0o707, 0o1777, 0o702])
def test_one_that_others_can_write_to_is_refused(tmp_path: Path, bits: int) -> None:
    (tmp_path / "file").touch()
    tmp_path.chmod(bits)
    with pytest.raises(PermissionError, match=rf"{bits:04o}\); run `chmod go-w`.*new folder"):
        private_folder(tmp_path)
    assert not is_private_folder(tmp_path.lstat())


@needs_root
def test_one_that_a_group_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tmp_path.chmod(0o2770)
    with pytest.raises(PermissionError, match="other users can write"):
        private_folder(tmp_path)
    assert mode(tmp_path) == 0o2770


@pytest.mark.parametrize("bits", [0o757, 0o777, 0o2777])
def test_an_empty_one_is_closed_to_others(tmp_path: Path, bits: int) -> None:
    tmp_path.chmod(bits)
    private_folder(tmp_path)
    assert mode(tmp_path) == bits & ~0o022


def test_an_empty_one_that_all_users_share_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(PermissionError, match="other users can write"):
        private_folder(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_one_that_is_filled_while_it_is_closed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fchmod = os.fchmod

    def racing(descriptor: int, bits: int) -> None:
        (tmp_path / "planted").touch()
        fchmod(descriptor, bits)

    tmp_path.chmod(0o777)
    monkeypatch.setattr(private.os, "fchmod", racing)
    with pytest.raises(PermissionError, match="other users can write"):
        private_folder(tmp_path)
    assert mode(tmp_path) == 0o777


def test_a_file_system_without_modes_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def open_to_all(folder: Path, *words: object, **options: object) -> None:
        mkdir(folder, *words, **options)  # type: ignore[arg-type]
        folder.chmod(0o777)

    monkeypatch.setattr(Path, "mkdir", open_to_all)
    monkeypatch.setattr(private.os, "fchmod", lambda *_: None)
    for _ in range(2):
        with pytest.raises(PermissionError, match=r"does not keep owners or modes.*local disk"):
            private_folder(tmp_path / "bank")


@needs_root
def test_a_file_system_that_changes_owners_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def squashed(folder: Path, *words: object, **options: object) -> None:
        mkdir(folder, *words, **options)  # type: ignore[arg-type]
        os.chown(folder, OTHER, OTHER)

    monkeypatch.setattr(Path, "mkdir", squashed)
    for _ in range(2):
        with pytest.raises(PermissionError, match=rf"does not keep owners.*uid {OTHER}"):
            private_folder(tmp_path / "bank")


@needs_root
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHER, OTHER)
    with pytest.raises(PermissionError, match=f"another user .uid {OTHER}, this process runs as 0"):
        private_folder(tmp_path)


@needs_root
def test_a_user_without_a_name_may_have_one() -> None:
    with tempfile.TemporaryDirectory() as name:  # other users may not enter pytest's own folders
        folder = Path(name)
        os.chown(folder, OTHER, OTHER)
        assert as_user(OTHER, lambda: private_folder(folder / "bank")) == ""
        assert mode(folder / "bank") == 0o700
        (folder / "bank/file").touch()
        folder.chmod(0o770)
        assert "other users can write" in as_user(OTHER, lambda: private_folder(folder))


def as_user(uid: int, do: object) -> str:
    """What ``do`` raises in a process of that user; empty if nothing."""
    assert callable(do)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        reported = "the child died"
        try:
            os.setgid(uid)
            os.setuid(uid)
            do()
            reported = ""
        except OSError as error:
            reported = str(error)
        finally:
            os.write(writing, reported.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        reported = answer.read()
    os.waitpid(child, 0)
    return reported


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_symbolic_link_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(NotADirectoryError, match="symbolic link"):
        private_folder(tmp_path / "link")
    assert not is_private_folder((tmp_path / "link").lstat())
    assert not (tmp_path / "nowhere").exists()


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="not a folder"):
        private_folder(tmp_path / "file")
    with pytest.raises(OSError):
        private_folder(tmp_path / "file/bank")


def test_private_files(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("")
    link.symlink_to(file)
    assert is_private_file(file.lstat()) and not is_private_file(link.lstat())
    assert not is_private_file(tmp_path.lstat())
    file.chmod(0o646)
    assert not is_private_file(file.lstat())


def test_a_lock_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("content")
    for target in ("precious", "new"):
        lock = tmp_path / f"{target}.lock"
        lock.symlink_to(tmp_path / target)
        with pytest.raises(OSError), private_lock(lock):
            pass
    assert (tmp_path / "precious").read_text() == "content" and not (tmp_path / "new").exists()
    with private_lock(tmp_path / "own.lock"):
        assert mode(tmp_path / "own.lock") == 0o600
