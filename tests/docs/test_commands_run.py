"""The commands of the pages that need no network, no cluster and no minutes are run."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from drawn_once import drawn_once
from fake_search import Plan, write
from PIL import Image

from fer_tune.data import import_source
from tests.command_line import Run
from tests.docs.pages import PAGES, Command, commands

#: Beginnings of the commands that are run, and what must not be among their words.
RUN = (
    ("spaces",),
    ("cluster", "list"),
    ("cluster", "show"),
    ("cluster", "check"),
    ("rank",),
    ("report",),
    ("compare",),
    ("bank", "show"),
    ("data", "import"),
    ("data", "audit"),
)
SHOWN = ("aws-gpu.yaml", "on-prem.yaml", "rayjob.yaml", "rayservice.yaml", "skypilot.yaml")
SHOWN += ("slurm.sh",)
PLACEHOLDERS = ("s3://", "gs://", "kaggle:", "JOB", "NAME/", "FILE", "DIR", "…", "SPACE", "|")


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def figures_drawn_once() -> Iterator[None]:
    with drawn_once():
        yield


def runnable(command: Command) -> bool:
    starts = any(command.words[: len(start)] == start for start in RUN)
    dry = command.words[:1] == ("search",) and "--dry-run" in command.words
    holes = any(hole in word for word in command.words for hole in PLACEHOLDERS)
    return (starts or dry) and not holes and command.block


COMMANDS = {c.words: c for page in PAGES for c in commands(page) if runnable(c)}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands read."""
    desk = tmp_path_factory.mktemp("desk")
    for number, name in enumerate(("NAME-TIME", "A", "B", "C")):
        write(desk / "results" / name, Plan(trials=6, seeds=5, seed=number))
    pictures = desk / "path/to/folder"
    for split in ("train", "test"):
        for label in ("happy", "sad"):
            for number in range(12):
                picture = pictures / split / label / f"{number}.png"
                picture.parent.mkdir(parents=True, exist_ok=True)
                turn = len(split) * 50 + len(label) * 20 + number
                Image.linear_gradient("L").resize((20, 20)).rotate(turn).save(picture)
    with zipfile.ZipFile(desk / "archive.zip", "w") as archive:
        for file in pictures.rglob("*.png"):
            archive.write(file, file.relative_to(pictures))
    shutil.copytree(pictures, desk / "path/to/set")
    for number in range(8):
        person = desk / f"people/{('happy', 'sad')[number % 2]}/S{number // 2}_{number}.png"
        listed = desk / f"set/{number}.png"
        for picture in (person, listed):
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.linear_gradient("L").resize((20, 20)).rotate(number * 20).save(picture)
    table = [f"{number}.png,{('happy', 'sad')[number % 2]}" for number in range(8)]
    (desk / "set/list.csv").write_text("file,label\n" + "\n".join(table) + "\n")
    rows = [f'{n % 7},"{" ".join(str((p * n) % 256) for p in range(2304))}"' for n in range(1, 22)]
    usages = ("Training", "PublicTest", "PrivateTest")
    lines = [f"{row},{usages[n % 3]}" for n, row in enumerate(rows)]
    (desk / "fer2013.csv").write_text("emotion,pixels,Usage\n" + "\n".join(lines) + "\n")
    import_source("synthetic:60", desk / "data/faces")
    return desk


def test_enough_commands_are_run() -> None:
    assert len(COMMANDS) >= 25


@pytest.mark.parametrize("command", COMMANDS.values(), ids=str)
def test_it_runs(
    command: Command, desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(desk)
    words = list(command.words)
    for shown in SHOWN:
        if shown in words:
            Path(shown).write_text(run("cluster", "show", Path(shown).stem).out)
    if "mine.yaml" in words or "./mine.yaml" in words:
        Path("mine.yaml").write_text(run("spaces", "show", "cpu_small").out)
    if "--out" in words:  # pages use one name several times
        at = words.index("--out") + 1
        words[at] = os.path.relpath(tmp_path / "out")
    words = [re.sub(r"^synthetic:\d+$", "synthetic:60", word) for word in words]
    done = run(*words)
    assert done.code == 0, done
    assert done.out.strip()
