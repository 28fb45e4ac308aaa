"""Bad input through the command line: one message, exit code 2, nothing left behind."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from bad_cases import BOMBS, CASES, USAGE
from bad_inputs import MIB, among, archive, encoded, file, members, pictures, together
from import_cases import HOSTILE, IMPORT, UNREADABLE, UNUSUAL, ZIP
from PIL import Image

import fer_tune.cli
from fer_tune.data import PackedDataset


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def fer_tune_cli(monkeypatch, capsys, tmp_path):
    """Runs the command line in this process."""
    monkeypatch.setenv("FER_TUNE_WEIGHTS", str(tmp_path / "no weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no torch"))

    def run(command: str) -> Outcome:
        words = [word.replace("{t}", str(tmp_path)) for word in command.split()]
        monkeypatch.setattr(sys, "argv", ["fer-tune", *words])
        with pytest.raises(SystemExit) as ended:
            fer_tune.cli.main()
        return Outcome(int(ended.value.code or 0), *capsys.readouterr())

    return run


def tree(at: Path) -> dict[str, str]:
    """Every file and folder, hidden ones too, with a digest of its content."""
    return {
        str(path.relative_to(at)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in at.rglob("*")
    }


def check(done: Outcome, expected: list[str], at: Path) -> None:
    assert done.code == 2, done
    assert done.out == "" and done.err.startswith("fer-tune: "), done
    assert done.err.count("fer-tune: ") == 1 and "Traceback" not in done.err
    message = done.err.replace(str(at), "T")
    for phrase in expected:
        assert phrase in message, message
    assert len(message) < 450, "a message is short"


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_message_and_leaves_nothing(case, fer_tune_cli, tmp_path):
    command, maker, expected = CASES[case]
    maker(tmp_path)
    before = tree(tmp_path)
    check(fer_tune_cli(command), expected, tmp_path)
    assert tree(tmp_path) == before, "nothing half-written, nothing changed"


@pytest.mark.parametrize("case", USAGE)
def test_an_option_out_of_range_is_named(case, fer_tune_cli, tmp_path):
    command, option = USAGE[case]
    done = fer_tune_cli(command)
    assert done.code == 2 and done.out == "" and "Traceback" not in done.err
    assert option in done.err
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("case", UNREADABLE)
def test_one_unreadable_picture_is_reported_and_with_strict_ends_the_import(
    case, fer_tune_cli, tmp_path
):
    content, reason = UNREADABLE[case]
    among("bad.png", content)(tmp_path)
    before = tree(tmp_path)
    check(
        fer_tune_cli(IMPORT + " --strict"),
        ["T/src: train/happy/bad.png: " + reason, "without --strict"],
        tmp_path,
    )
    assert tree(tmp_path) == before
    done = fer_tune_cli(IMPORT)
    assert done.code == 0 and f"skipped train/happy/bad.png: {reason}" in done.out
    assert len(PackedDataset.open(tmp_path / "out")) == 10


@pytest.mark.parametrize("case", HOSTILE)
def test_one_hostile_zip_member_is_reported_and_with_strict_ends_the_import(
    case, fer_tune_cli, tmp_path
):
    name, content, reason = HOSTILE[case]
    archive({**members(), name: content})(tmp_path)
    before = tree(tmp_path)
    check(fer_tune_cli(ZIP + " --strict"), [reason, "without --strict"], tmp_path)
    assert tree(tmp_path) == before
    done = fer_tune_cli(ZIP)
    assert done.code == 0 and reason in done.out and "(1 skipped)" in done.out
    assert len(PackedDataset.open(tmp_path / "out")) == 10
    assert {path.name for path in tmp_path.iterdir()} == {"src.zip", "out"}


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_is_refused_without_memory_or_disk(case, fer_tune_cli, tmp_path):
    command, maker, expected = BOMBS[case]
    maker(tmp_path)
    before = tree(tmp_path)
    tracemalloc.start()
    try:
        done = fer_tune_cli(command)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check(done, expected, tmp_path)
    assert peak < 32 * MIB
    assert tree(tmp_path) == before


def test_unusual_pictures_are_read_right(fer_tune_cli, tmp_path):
    together(
        file("src/train/sad/colour.png", encoded(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG")),
        *(file(f"src/train/happy/{name}", content) for name, (content, _) in UNUSUAL.items()),
    )(tmp_path)
    assert fer_tune_cli(IMPORT + " --strict").code == 0
    dataset = PackedDataset.open(tmp_path / "out")
    origins = dataset.origins.tolist()
    for name, (_, colour) in UNUSUAL.items():
        pixels = dataset.picture(origins.index(f"train/happy/{name}"))
        assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [list(colour)], name


def test_names_that_are_no_text_are_imported(fer_tune_cli, tmp_path):
    pictures()(tmp_path)
    path = os.fsencode(tmp_path / "src/train/happy") + b"/\xff.png"
    shutil.move(tmp_path / "src/train/happy/0.png", os.fsdecode(path))
    assert fer_tune_cli(IMPORT + " --strict").code == 0
    # One byte may be plausible in another encoding, and is then read in it.
    names = [str(name) for name in PackedDataset.open(tmp_path / "out").origins]
    assert len(names) == 10 and all(name.encode() for name in names)
    assert sum(name.startswith("train/happy/") for name in names) == 3


def test_an_unexpected_folder_is_reported_where_classes_are_picked(fer_tune_cli, tmp_path):
    pictures(("happy", "sad", "holiday"))(tmp_path)
    done = fer_tune_cli(IMPORT + " --classes happy,sad")
    assert done.code == 0 and "excluded by --classes: 5 holiday" in done.out


@pytest.mark.parametrize("case", ["empty folder", "short pixels", "three faults"])
def test_the_installed_program_says_the_same(case, tmp_path):
    command, maker, expected = CASES[case]
    maker(tmp_path)
    before = tree(tmp_path)
    words = [word.replace("{t}", str(tmp_path)) for word in command.split()]
    installed = Path(sys.executable).with_name("fer-tune")
    for program in ([sys.executable, "-m", "fer_tune"], *[[str(installed)]] * installed.exists()):
        done = subprocess.run(
            [*program, *words], capture_output=True, text=True, check=False, timeout=120
        )
        check(Outcome(done.returncode, done.stdout, done.stderr), expected, tmp_path)
    assert tree(tmp_path) == before
