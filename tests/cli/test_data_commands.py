"""`data import` with labels of other kinds, `--dry-run`, and `data formats`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from command_line_pictures import put

from fer_tune.data import PackedDataset
from fer_tune.data.formats.registry import FORMATS
from tests.command_line import Run


def raf(at: Path) -> Path:
    rows = []
    for split in ("train", "test"):
        for n in (1, 2):
            put(at / f"basic/Image/aligned/{split}_{n:05d}_aligned.png", n + len(rows) * 10)
            rows.append(f"{split}_{n:05d}.png {n}")
    (at / "basic/EmoLabel").mkdir()
    (at / "basic/EmoLabel/list_patition_label.txt").write_text("\n".join(rows))
    (at / "other.csv").write_text("a,b\n")
    return at


def test_a_dry_run_shows_what_would_be_imported_and_writes_nothing(
    run: Run, tmp_path: Path
) -> None:
    source = raf(tmp_path / "raf")
    before = sorted(tmp_path.rglob("*"))
    done = run("data", "import", source, "--dry-run", "--rename", "fear=shock")
    assert done.code == 0 and sorted(tmp_path.rglob("*")) == before
    shown = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "class found as train validation test" in shown
    assert "shock 2 1 0 1" in shown and "all 2 0 2" in shown
    text = " ".join(shown)
    assert "recognised as RAF-DB; labels from basic/EmoLabel/list_patition_label.txt" in text
    assert "not used: other.csv" in text and "--format RAF-DB --rename fear=shock" in text


def test_a_dry_run_reads_no_picture(run: Run, tmp_path: Path) -> None:
    for name in ("happy", "sad"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "1.png").write_bytes(b"no picture")
    done = run("data", "import", tmp_path, "--dry-run", "--classes", "happy,sad")
    assert done.code == 0 and "not a known data set" in done.out


def test_an_import_says_how_it_understood_its_source(run: Run, tmp_path: Path) -> None:
    done = run("data", "import", raf(tmp_path / "raf"), "--out", tmp_path / "out")
    assert done.code == 0 and "recognised as RAF-DB" in done.out and "other.csv" in done.out
    dataset = PackedDataset.open(tmp_path / "out")
    assert (
        dataset.classes == ("fear", "surprise") and dataset.description["recognised_as"] == "RAF-DB"
    )
    assert np.array_equal(np.sort(dataset.splits), ["test", "test", "train", "train"])


def test_labels_are_chosen_on_the_command_line(run: Run, tmp_path: Path) -> None:
    for seed, name in enumerate(("a1", "a2", "b1")):
        put(tmp_path / f"x/{name}.png", seed)
    (tmp_path / "l.csv").write_text("which;what\na1;0\na2;1\nb1;1\n")
    options = ("--labels", tmp_path / "l.csv", "--columns", "file=which,label=2")
    named = ("--label-order", "calm,cross")
    done = run("data", "import", tmp_path / "x", "--out", tmp_path / "out", *options, *named)
    assert done.code == 0 and "labels from l.csv" in done.out
    assert PackedDataset.open(tmp_path / "out").classes == ("calm", "cross")
    pattern = ("--class-from", r"(?P<class>[ab])\d", "--rename", "a=calm,b=cross")
    done = run("data", "import", tmp_path / "x", "--out", tmp_path / "two", *pattern)
    assert done.code == 0
    assert PackedDataset.open(tmp_path / "two").classes == ("calm", "cross")


def test_formats_are_listed(run: Run) -> None:
    done = run("data", "formats")
    assert done.code == 0
    assert all(known.name in done.out for known in FORMATS)
    rows = json.loads(run("data", "formats", "--json").out)
    raf_db = next(row for row in rows if row["format"] == "raf-db")
    assert raf_db["labels"]["1"] == "surprise" and raf_db["licence"] and raf_db["where"]
