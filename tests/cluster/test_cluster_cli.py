"""`fer-tune cluster` as a user meets it."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from fer_tune.cluster.shipped import find, shipped
from tests.command_line import Run


@pytest.fixture
def cluster(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``fer-tune cluster WORDS`` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(run, "cluster")


def test_list_names_every_file(cluster: Run) -> None:
    done = cluster("list")
    assert done.code == 0, done.err
    assert all(f"\n{name} " in done.out for name in shipped())


def test_a_file_that_is_shown_is_one_that_passes(cluster: Run, tmp_path: Path) -> None:
    shown = cluster("show", "on-prem")
    assert shown.out == find("on-prem").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(shown.out, encoding="utf-8")
    done = cluster("check", "mine.yaml")
    assert done.code == 0, done.err
    assert "fer-tune: no errors." in done.out
    assert "192.168.1.11, 192.168.1.12" in done.out and "/mnt/fer_tune/results" in done.out


def test_faults_end_with_2_and_no_traceback(tmp_path: Path) -> None:
    text = find("on-prem").read_text(encoding="utf-8")
    text = text.replace("RAY_AUTH_MODE=token FER", "FER").replace("max_workers: 2", "max_workrs: 2")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "fer_tune", "cluster", "check", "mine.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.startswith("fer-tune: mine.yaml: 4 errors in the cluster file:\n")
    assert "max_workrs: is an unknown key. Did you mean 'max_workers'?" in done.stderr
    assert "head_start_ray_commands[1]: must set RAY_AUTH_MODE=token." in done.stderr


def test_a_name_that_does_not_ship_is_one_message(cluster: Run) -> None:
    done = cluster("show", "aws")
    assert done.code == 2 and done.err.count("\n") == 1
    assert "Did you mean 'aws-gpu'?" in done.err


def test_a_search_space_is_checked_first(cluster: Run) -> None:
    done = cluster("check", "aws-gpu", "--space", "quickstrat")
    assert done.code == 2 and "Did you mean 'quickstart'?" in done.err
    done = cluster("check", "aws-gpu", "--set", "resources.gpu=1")
    assert done.code == 2 and "Add --space" in done.err
