"""docs/json.md names the keys that commands print with --json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from drawn_once import drawn_once
from fake_search import Plan, write
from PIL import Image

from fer_tune.cli.app import app
from fer_tune.cluster.job import Job
from fer_tune.data import import_source
from tests.command_line import Run
from tests.docs.pages import json_rows
from tests.models.kept_files import make_model

ROWS = json_rows()
#: Commands that change something, and what follows or prints text of its own.
NOT_READING = {"search", "resume", "confirm", "submit", "stop", "fetch", "logs"}
NOT_READING |= {"data import", "data review", "weights fetch", "cluster show", "serve", "camera"}

#: One that is soon profiled, simulated and planned.
SPACE = """
name: SPACE
purpose: Two small backbones.
compare: {arms: [resnet18, resnet34]}
parameters: {unfreeze_depth: 0, crop_size: 32, lr_head: {type: float, low: 1e-4, high: 1e-2}}
budget: {trials: 8, max_epochs: 4}
scheduler: {grace_epochs: 1}
resources: {gpu: 0}
weights: none
precision: float32
"""


@pytest.fixture(scope="module", autouse=True)
def figures_drawn_once() -> Iterator[None]:
    with drawn_once():
        yield


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = tmp_path_factory.mktemp("desk")
    make_model(desk / "MODEL", arm="densenet161")
    for number, name in enumerate(("RESULTS", "A", "B")):
        write(desk / name, Plan(trials=4, seeds=5, seed=number))
        shutil.copytree(desk / "MODEL", desk / name / "models/densenet161")
    import_source("synthetic:60", desk / "DATA")
    (desk / "PICTURES").mkdir()
    Image.new("L", (48, 48)).save(desk / "PICTURES/face.png")
    (desk / "SPACE").write_text(SPACE)
    return desk


#: The tests of these commands compare their keys with the page.
ELSEWHERE = ("status", "plan", "profile")
RUN = [command for command in ROWS if command not in (*ELSEWHERE, "spaces show SPACE")]


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_the_keys_are_those_of_the_page(
    command: str, desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.setenv("FER_TUNE_BANK", str(desk / "bank"))
    words = command.replace("check FILE", "check aws-gpu").split()
    done = run(*words, "--json")
    assert done.code in (0, 1), done  # doctor finds something missing
    assert done.err == "" or command.startswith(("predict", "probe")), done.err  # their progress
    printed: Any = json.loads(done.out)
    assert list(printed[0] if isinstance(printed, list) else printed) == ROWS[command]


def test_a_job_has_the_keys_of_the_page() -> None:
    assert [field.name for field in fields(Job)] == ROWS["status"]


def leaves(command: Any, name: str = "") -> dict[str, Any]:
    if not hasattr(command, "commands"):
        return {name.strip(): command}
    return {
        path: leaf
        for own, below in command.commands.items()
        for path, leaf in leaves(below, f"{name} {own}").items()
    }


def test_every_reading_command_prints_json() -> None:
    found = leaves(typer.main.get_command(app))
    without = {
        n for n, leaf in found.items() if "--json" not in {o for p in leaf.params for o in p.opts}
    }
    assert without == NOT_READING
    on_page = {name for row in ROWS for name in found if f"{row} ".startswith(f"{name} ")}
    assert on_page == found.keys() - without


def test_only_searches_since_then(desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    started = json.loads((desk / "A/manifest.json").read_text())["started"]
    later = json.loads((desk / "B/manifest.json").read_text()) | {"started": started + 7200}
    (desk / "B/manifest.json").write_text(json.dumps(later))
    import datetime

    between = datetime.datetime.fromtimestamp(started + 3600).isoformat()
    alone = json.loads(run("rank", "A", "B", "--since", between, "--json").out)
    assert alone == json.loads(run("rank", "B", "--json").out)
    both = json.loads(run("rank", "A", "B", "--since", "2000-01-01", "--json").out)
    assert both["search"] != alone["search"]


@pytest.mark.parametrize("since", ["yesterday", "7", "7 years", "2026-13-01", "-3d"])
def test_a_wrong_since_is_refused(since: str, desk: Path, run: Run) -> None:
    done = run("rank", desk / "A", f"--since={since}")
    assert done.code == 2
    assert "--since: must be a date or how long ago" in done.err


def test_none_since_then_is_an_error(desk: Path, run: Run) -> None:
    done = run("report", desk / "A", "--since", "0m")
    assert done.code == 2
    assert "none of the searches started since then" in done.err
