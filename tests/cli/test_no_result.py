"""A search that has no result says so and does not end with exit code 0; nor one without a bank."""

from __future__ import annotations

import logging
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fer_tune.cli.searching import no_result
from fer_tune.data import PackedDataset
from fer_tune.records import Results
from fer_tune.tuning import execution as module
from fer_tune.tuning import phases
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun
from tests.command_line import Run
from tests.lean_ray import lean_ray
from tests.undrawn import undrawn

SPACE = """
name: tiny
purpose: Two small backbones on few faces.
compare: {arms: [densenet121, resnet18]}
parameters: {lr_head: {type: float, low: 1e-3, high: 1e-2}}
budget: {trials: 2, max_epochs: 4}
resources: {cpu: 1, max_concurrent: 1}
weights: none
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPACE)
    return path


def ended(folder: Path, *states: str) -> Path:
    """A results folder whose trials have ended so."""
    rows = [{"trial": n, "cohort": "tpe", "state": state} for n, state in enumerate(states)]
    rows.append({"trial": 99, "cohort": "confirm", "state": "complete"})
    Results(folder).append("trials", rows, part="all")
    return folder


@pytest.mark.parametrize(
    ("states", "result"),
    [
        (("complete", "failed"), True),
        (("overfit", "diverged", "oom"), True),
        (("failed",), False),
        (("oom",), False),
        (("diverged", "failed", "pruned"), False),
    ],
)
def test_a_search_has_a_result_once_a_trial_ran_to_its_end(
    states: tuple[str, ...], result: bool, tmp_path: Path
) -> None:
    output = no_result(ended(tmp_path / "r", *states))
    assert (output == "") is result
    if not result:
        assert all(f" {state}" in output for state in states)
        assert str(tmp_path / "r/search.log") in output
        assert (str(tmp_path / "r/errors") in output) is ("failed" in states)


@pytest.mark.ray
@lean_ray()
@undrawn()
def test_a_search_without_a_result_ends_with_exit_code_1(
    space: Path, faces: PackedDataset, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of trials that all run out of memory: a process that fails is started three times."""

    starved = partial(ReplayedRun, lambda assignment: Recording(values=[], oom_at=1))
    monkeypatch.setattr(module, "explore", partial(phases.explore, make_run=starved))
    folder, bank = tmp_path / "r", tmp_path / "bank"
    where = ("--cpus", 1, "--no-dashboard", "--quiet", "--bank", bank)
    handlers = list(logging.getLogger("fer_tune").handlers)
    done = run("search", space, "--data", faces.root, "--results", folder, *where)
    assert done.code == 1, done
    assert logging.getLogger("fer_tune").handlers == handlers, "the terminal's was removed"
    last = done.err.strip().splitlines()[-1]
    assert last.startswith(f"fer-tune: {folder}: no trial was completed (2 oom)")
    assert str(folder / "search.log") in last and "Traceback" not in done.err
    assert (folder / "report/report.html").is_file(), "the report is written all the same"
    assert Results(folder).manifest()["state"] == "finished"
    again = run("resume", folder, *where)
    assert again.code == 1 and "no trial was completed" in again.err


def a_file(bank: Path) -> None:
    bank.write_text("mine")


def below_a_file(bank: Path) -> None:
    bank.parent.write_text("mine")


def a_link(bank: Path) -> None:
    bank.symlink_to(bank.parent)


def open_to_all(bank: Path) -> None:
    bank.mkdir()
    (bank / "file").touch()
    bank.chmod(0o777)


def another_users(bank: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving files away needs root")
    bank.mkdir()
    os.chown(bank, 4711, 4711)


@pytest.mark.parametrize("named", ["--bank", "FER_TUNE_BANK"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (a_file, "it is not a folder"),
        (below_a_file, "(Not a directory|File exists)"),
        (a_link, "it is a symbolic link"),
        (open_to_all, r"other users can write to it \(mode 0777\); run `chmod go-w` on it"),
        (another_users, "it belongs to another user .uid 4711"),
    ],
)
def test_a_bank_that_cannot_be_used_is_refused_before_anything_is_made(
    named: str,
    make: Any,
    reason: str,
    space: Path,
    faces: PackedDataset,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = tmp_path / ("x/bank" if make is below_a_file else "bank")
    make(bank)
    before = sorted(tmp_path.rglob("*"))
    option = ["--bank", bank] if named == "--bank" else []
    if not option:
        monkeypatch.setenv("FER_TUNE_BANK", str(bank))
    done = run("search", space, "--data", faces.root, "--results", tmp_path / "r", *option)
    assert done.code == 2 and done.out == "" and done.err.count("\n") == 1, done
    assert re.match(
        rf"fer-tune: {bank}: the feature bank cannot be used here: {reason}", done.err
    ), done.err
    assert "Choose another folder with --bank or FER_TUNE_BANK" in done.err
    assert sorted(tmp_path.rglob("*")) == before
