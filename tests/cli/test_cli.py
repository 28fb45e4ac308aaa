"""The command line as a user meets it: help, faults with exit code 2, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from fer_tune import __version__
from fer_tune.data import PackedDataset
from tests.command_line import Run

COMMANDS = ("search", "resume", "confirm", "report", "rank", "compare", "doctor")
COMMANDS += ("submit", "status", "logs", "stop", "fetch")
COMMANDS += ("data", "spaces", "weights", "cluster", "version")


def fer_tune(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fer_tune", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100", **environment},
        timeout=120,
    )


#: What a light install, made for reading records, does without.
LEFT_OUT = ("torch", "torchvision", "ray", "filelock", "safetensors", "sklearn", "tensorboardX")


def without(modules: Sequence[str], words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as if ``modules`` were not installed."""
    code = (
        f"import sys; sys.modules |= dict.fromkeys({list(modules)}); sys.argv[0] = 'fer-tune'\n"
        "from fer_tune.cli import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *words.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    done = fer_tune("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    code = (
        "import sys\nfrom fer_tune.cli.app import app\n"
        "print({'torch', 'ray', 'optuna', 'pandas', 'numpy'} & set(sys.modules))"
    )
    heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert heavy.strip() == "set()"


@pytest.mark.parametrize(
    "words",
    [
        "search quickstart --data {faces} --results {new}",
        "resume {new}",
        "confirm {new} --seeds 5",
        "weights fetch",
    ],
)
def test_a_library_that_is_not_installed_is_one_message(
    words: str, faces: PackedDataset, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    done = without(LEFT_OUT, words.format(faces=faces.root, new=new))
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert done.stderr.startswith("fer-tune: this command needs ")
    assert done.stderr.count("\n") == 1 and "not installed" in done.stderr
    assert f"{sys.executable} -m pip install -c constraints.txt ." in done.stderr
    assert not new.exists()


def test_a_module_of_our_own_that_is_missing_keeps_its_traceback() -> None:
    done = without(("fer_tune.space",), "spaces list")
    assert done.returncode == 1 and "Traceback" in done.stderr


@pytest.mark.slow
def test_help_answers_at_once() -> None:
    fer_tune("--help")
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        fer_tune("--help")
        taken.append(time.perf_counter() - began)
    assert min(taken) < 0.5


def test_dry_run_shows_the_plan_and_starts_nothing(
    faces: PackedDataset, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    done = run(
        "search",
        "quickstart",
        "--data",
        str(faces.root),
        "--results",
        str(tmp_path / "r"),
        "--dry-run",
        "--set",
        "budget.trials=10",
    )
    assert done.code == 0, done.err
    assert "10 (2 baseline" in done.out and "rungs" in done.out and "train" in done.out
    assert not (tmp_path / "r").exists()


def test_import_and_audit(tmp_path: Path) -> None:
    done = fer_tune("data", "import", "synthetic:60", "--out", str(tmp_path / "d"))
    assert done.returncode == 0 and "60 pictures into" in done.stdout
    audited = fer_tune("data", "audit", str(tmp_path / "d"), "--json")
    assert json.loads(audited.stdout)["pictures"] == 60


def test_spaces(tmp_path: Path, run: Run) -> None:
    assert "densenet161_vs_resnet152" in run("spaces", "list").out
    (tmp_path / "mine.yaml").write_text(run("spaces", "show", "quickstart").out)
    assert "is valid" in run("spaces", "check", tmp_path / "mine.yaml").out


FAULTS = {
    "three faults of a file": (
        ["spaces", "check", "{tmp}/bad.yaml"],
        ["3 errors", "budget.trials", "lr_haed", "lr_head", "crop_size"],
    ),
    "unknown override": (
        ["search", "quickstart", "--data", "{faces}", "--set", "budget.trails=4"],
        ["budget.trails", "budget.trials"],
    ),
    "no dataset": (["data", "audit", "{tmp}/absent"], ["absent"]),
    "no results folder": (["report", "{tmp}"], ["not a results folder"]),
    "missing weights": (
        [
            "search",
            "quickstart",
            "--data",
            "{faces}",
            "--results",
            "{tmp}/r",
            "--set",
            "weights=imagenet-v1",
        ],
        ["densenet161", "fer-tune weights fetch"],
    ),
    "results folder in use": (
        ["search", "quickstart", "--data", "{faces}", "--results", "{tmp}"],
        ["not empty", "--results"],
    ),
    "no such source": (["data", "import", "{tmp}/none.zip", "--out", "{tmp}/d"], ["none.zip"]),
    "no such backbone": (["weights", "fetch", "vgg16"], ["vgg16", "resnet152"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_user_fault_is_one_clear_message(
    case: str, faces: PackedDataset, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, expected = FAULTS[case]
    (tmp_path / "bad.yaml").write_text(
        "name: bad\npurpose: Three faults.\ncompare: {arms: [densenet161, resnet152]}\n"
        "parameters: {lr_haed: 1e-3, crop_size: 7}\nbudget: {trials: 0, max_epochs: 9}\n"
    )
    filled = [w.format(tmp=tmp_path, faces=faces.root) for w in words]
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("FER_TUNE_WEIGHTS", str(tmp_path / "w"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "t"))
    done = run(*filled)
    assert done.code == 2, done.out + done.err
    assert "Traceback" not in done.err
    for text in expected:
        assert text in done.err, done.err
    assert {p.name for p in tmp_path.iterdir()} <= {"bad.yaml"}, "nothing half-written"


def test_doctor_names_what_is_missing(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("FER_TUNE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    done = run("doctor")
    assert done.code == 0
    assert "torch" in done.out and "fer-tune weights fetch" in " ".join(done.out.split())


def test_the_version_is_an_option_and_a_command(run: Run) -> None:
    assert run("--version") == run("version") and run("--version").out == f"{__version__}\n"
