"""`fer-tune cluster` as a user meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fer_tune.cluster.shipped import find, shipped


def fer_tune(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fer_tune", "cluster", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_list_names_every_file(tmp_path: Path) -> None:
    done = fer_tune("list", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(f"\n{name} " in done.stdout for name in shipped())


def test_a_file_that_is_shown_is_one_that_passes(tmp_path: Path) -> None:
    shown = fer_tune("show", "on-prem", folder=tmp_path)
    assert shown.stdout == find("on-prem").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(shown.stdout, encoding="utf-8")
    done = fer_tune("check", "mine.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "fer-tune: no faults." in done.stdout
    assert "192.168.1.11, 192.168.1.12" in done.stdout and "/mnt/fer_tune/results" in done.stdout


def test_faults_end_with_2_and_no_traceback(tmp_path: Path) -> None:
    text = find("on-prem").read_text(encoding="utf-8")
    text = text.replace("RAY_AUTH_MODE=token FER", "FER").replace("max_workers: 2", "max_workrs: 2")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    done = fer_tune("check", "mine.yaml", folder=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.startswith("fer-tune: mine.yaml: 4 faults in the cluster file:\n")
    assert "max_workrs: is an unknown key. Did you mean 'max_workers'?" in done.stderr
    assert "head_start_ray_commands[1]: must set RAY_AUTH_MODE=token." in done.stderr


def test_a_name_that_does_not_ship_is_one_message(tmp_path: Path) -> None:
    done = fer_tune("show", "aws", folder=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "Did you mean 'aws-gpu'?" in done.stderr


def test_a_search_space_is_checked_first(tmp_path: Path) -> None:
    done = fer_tune("check", "aws-gpu", "--space", "quickstrat", folder=tmp_path)
    assert done.returncode == 2 and "Did you mean 'quickstart'?" in done.stderr
    done = fer_tune("check", "aws-gpu", "--set", "resources.gpu=1", folder=tmp_path)
    assert done.returncode == 2 and "Name one with --space" in done.stderr
