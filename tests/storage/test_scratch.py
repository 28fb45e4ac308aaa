"""Scratch folders of processes that ended in every possible way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from fer_tune.storage.scratch import scratch, sweep

ROOT = Path(__file__).resolve().parents[2]
HOLDS = """
import sys, time
from pathlib import Path
from fer_tune.process import entered
from fer_tune.storage.scratch import scratch
with entered(), scratch(Path(sys.argv[1]), ".faces.") as folder:
    (folder / "picture").write_bytes(b"a face")
    print(folder, flush=True)
    time.sleep(60)
"""


def holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a scratch folder in ``parent``, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(parent)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def ended(process: subprocess.Popen[str], number: int) -> int:
    process.send_signal(number)
    code = process.wait(30)
    assert process.stdout is not None
    process.stdout.close()
    return code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    process, folder = holder(tmp_path / "new")
    assert folder.stat().st_mode & 0o777 == 0o700
    code = ended(process, number)
    assert code == (-number if number == signal.SIGINT else 128 + number)
    assert not any(tmp_path.iterdir()), "neither it nor the folder made to hold it"


def test_the_next_one_removes_what_a_killed_process_left_and_nothing_else(tmp_path: Path) -> None:
    killed, left = holder(tmp_path)
    running, alive = holder(tmp_path)
    try:
        ended(killed, signal.SIGKILL)
        assert (left / "picture").exists()

        number = uuid.uuid4().hex
        (tmp_path / f".faces.{number}").symlink_to(left)
        (tmp_path / ".faces.backup").mkdir()
        (tmp_path / f"faces.{number}").mkdir()
        (tmp_path / f".faces.{uuid.uuid4().hex}").write_text("a file")
        fresh = tmp_path / f".faces.{uuid.uuid4().hex}"
        fresh.mkdir()  # of a process that has not come to lock it
        before = set(tmp_path.iterdir())

        with scratch(tmp_path, ".faces.") as mine:
            assert set(tmp_path.iterdir()) == before - {left} | {mine}
            assert (alive / "picture").exists()
        old = time.time() - 90_000
        os.utime(fresh, (old, old))
        sweep(tmp_path, ".faces.")
        assert not fresh.exists()
    finally:
        ended(running, signal.SIGKILL)


def test_somebody_elses_folder_stays(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a folder away needs root")
    theirs = tmp_path / f".faces.{uuid.uuid4().hex}"
    theirs.mkdir()
    (theirs / ".lock").touch()
    os.chown(theirs, 54321, 54321)
    sweep(tmp_path, ".faces.")
    assert theirs.exists()


def test_two_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    with scratch(tmp_path, ".faces.") as one, scratch(tmp_path, ".faces.") as two:
        assert one.is_dir() and two.is_dir() and one != two
    assert not any(tmp_path.iterdir())
