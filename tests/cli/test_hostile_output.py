"""What the commands print of names that try to be markup or terminal commands."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command_line import Outcome, Run

PURPOSE = "[/nope] and [bold]x[/], :smile:, \x1b[2J\x1b]8;;http://evil\x07 and\n\rVERDICT: \u202e"
SHOWN = r"[/nope] and [bold]x[/], :smile:, \x1b[2J\x1b]8;;http://evil\x07 and\n\rVERDICT: \u202e"
SPACE = """
name: mine
purpose: {purpose}
compare: {{parameter: backbone, arms: [resnet18, resnet34]}}
parameters: {{lr_head: {{type: float, low: 0.0001, high: 0.01}}}}
budget: {{trials: 4, max_epochs: 6}}
"""


def assert_quiet(outcome: Outcome) -> None:
    for text in (outcome.out, outcome.err):
        assert not [
            c
            for c in text
            if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        ], repr(text)


def unwrapped(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def space(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(SPACE.format(purpose=json.dumps(PURPOSE)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classes and files with names of all kinds, and files that are no pictures."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("[bold]x[", "a$b_$", "[nope]"):
        for split in ("train", "test"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(4):
                pixels = rng.integers(0, 255, (48, 48), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    for name in ("[nope]\x1b[2J.png", "\n\rVERDICT.png", os.fsdecode(b"caf\xe9.png")):
        (root / "train" / "a$b_$" / name).write_bytes(b"no picture")
    return root


def test_a_purpose_is_text(run: Run, space: Path, pictures: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    imported = run("data", "import", pictures, "--out", packed)
    assert imported.code == 0, imported.err
    assert_quiet(imported)
    for name in ("[bold]x[", "[nope]", "a$b_$"):
        assert name in imported.out, "the balance names every class as it is"
    audited = run("data", "audit", packed)
    assert_quiet(audited)
    assert "[nope]" in audited.out

    planned = run("search", space, "--data", packed, "--dry-run")
    assert planned.code == 0, planned.err
    assert_quiet(planned)
    assert SHOWN in unwrapped(planned.out)


def test_a_search_space_is_shown_as_text(run: Run, space: Path) -> None:
    space.write_text(SPACE.format(purpose='"a\u202e b\u2028c"'), encoding="utf-8")
    shown = run("spaces", "show", space)
    assert shown.code == 0, shown.err
    assert_quiet(shown)
    assert r'purpose: "a\u202e b\u2028c"' in shown.out
    assert_quiet(run("spaces", "check", space))


def test_faults_are_one_line_each(run: Run, tmp_path: Path) -> None:
    name = "[/nope]\x1b[2J\nVERDICT: better\r\u202e"
    for command in (["rank"], ["data", "audit"]):
        failed = run(*command, tmp_path / name)
        assert failed.code == 2, failed
        assert_quiet(failed)
        assert r"[/nope]\x1b[2J\nVERDICT: better\r\u202e" in failed.err
        assert failed.err.count("\n") == 1
    file = tmp_path / "two.yaml"
    file.write_text('"a\\nb": 1\n"\\e[2J": 2\nname: "x\\u202e"\n', encoding="utf-8")
    failed = run("spaces", "check", file)
    assert failed.code == 2
    assert_quiet(failed)
    assert all(line.startswith("  - ") for line in failed.err.splitlines()[1:])
