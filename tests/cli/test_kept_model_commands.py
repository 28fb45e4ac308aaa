"""`models` and `predict` as a user meets them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_tune.records import Results
from tests.command_line import Run
from tests.models.kept_files import CLASSES, card_values, cut, make_model

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(2)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with two models, of which the second is better on validation."""
    root = tmp_path_factory.mktemp("results") / "first"
    root.mkdir()
    Results(root).write_manifest({"state": "finished", "space": {"metric": "macro_f1"}})
    make_model(root / "models" / "a", arm="a")
    scores = {
        "validation_macro_f1": 0.7,
        "validation_accuracy": 0.1,
        "validation_loss": 9.0,
        "test_macro_f1": 0.2,
        "test_accuracy": 0.2,
        "test_clean_macro_f1": 0.2,
        "test_clean_accuracy": 0.2,
    }
    make_model(root / "models" / "b", cut(depth=5), arm="b", scores=scores)
    make_model(root / "models" / ".candidates" / "000001", arm="c")
    return root


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        save(tmp_path / "pictures" / f"{name}.png", 48)
    return tmp_path / "pictures"


def save(path: Path, side: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (side, side), dtype=np.uint8)).save(path)
    return path


def test_models_are_listed_and_shown(results: Path, run: Run) -> None:
    listed = run("models", "list", results)
    assert listed.code == 0 and "0.610" in listed.out and "b is better on validation" in listed.out
    assert "c " not in listed.out
    rows = json.loads(run("models", "list", results, "--json").out)
    assert [(row["arm"], row["preferred"]) for row in rows] == [("a", False), ("b", True)]
    card = json.loads(run("models", "show", results, "--json").out)
    assert card["arm"] == "b" and card["classes"] == list(CLASSES)
    assert "## Limits" in run("models", "show", results / "models" / "a").out


@pytest.mark.parametrize(("metric", "arm"), [("accuracy", "a"), ("loss", "a"), ("macro_f1", "b")])
def test_the_metric_of_the_search_decides_which_model_is_used(
    results: Path, tmp_path: Path, run: Run, metric: str, arm: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    Results(copy).write_manifest({"space": {"metric": metric}})
    assert json.loads(run("models", "show", copy, "--json").out)["arm"] == arm


def test_predictions_are_printed_with_model_and_rule(
    results: Path, pictures: Path, run: Run
) -> None:
    done = run("predict", results, pictures)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["picture", "face", "expression", "probability"]
    assert [line.split()[0] for line in lines[1:]] == [str(pictures / f"{n}.png") for n in "abc"]
    assert f"model: {results / 'models' / 'b'} (b, validation macro-F1 0.700)" in done.err
    assert "faces: auto: pictures of at most" in done.err
    assert "3 pictures, 3 faces" in done.err and "pictures per second" in done.err


def test_every_output_says_the_same(
    results: Path, pictures: Path, tmp_path: Path, run: Run
) -> None:
    lines = [json.loads(x) for x in run("predict", results, pictures, "--json").out.splitlines()]
    expressions = [line["faces"][0]["expression"] for line in lines]
    printed = run("predict", results, pictures, "--format", "csv").out
    assert [row["expression"] for row in csv.DictReader(io.StringIO(printed))] == expressions
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.txt"):
        done = run("predict", results, pictures, "--out", tmp_path / name)
        assert done.code == 0 and done.out == "" and (tmp_path / name).exists()
    assert pd.read_csv(tmp_path / "a.csv")["expression"].tolist() == expressions
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert frame["expression"].tolist() == expressions
    assert frame["angry"].tolist() == [
        pytest.approx(line["faces"][0]["probabilities"]["angry"]) for line in lines
    ]


def test_a_broken_picture_is_skipped_and_the_exit_code_is_1(
    results: Path, pictures: Path, run: Run
) -> None:
    (pictures / "b.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    done = run("predict", results, pictures)
    assert done.code == 1 and len(done.out.splitlines()) == 3
    assert f"skipped {pictures / 'b.png'}: damaged" in done.err and "1 skipped" in done.err


def test_strict_stops_at_it_and_writes_nothing(
    results: Path, pictures: Path, tmp_path: Path, run: Run
) -> None:
    (pictures / "b.png").write_bytes(b"")
    done = run("predict", results, pictures, "--strict", "--out", tmp_path / "x.csv")
    assert done.code == 2 and "b.png: empty: it has 0 bytes" in done.err
    assert "Traceback" not in done.err and not (tmp_path / "x.csv").exists()


def kinds(folder: Path) -> dict[str, str]:
    """Pictures of every kind that can be read, and what it is."""
    folder.mkdir()
    grey = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
    image = Image.fromarray(grey)
    image.convert("RGB").save(folder / "colour.jpg")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "sixteen.png")
    image.save(folder / "moving.gif", save_all=True, append_images=[Image.fromarray(255 - grey)])
    image.convert("P").save(folder / "palette.png")
    image.convert("1").save(folder / "bits.png")
    layered = image.convert("RGBA")
    layered.putalpha(128)
    layered.save(folder / "clear.png")
    image.save(folder / "lossless.webp", lossless=True)
    Image.new("L", (1, 1), 7).save(folder / "pixel.png")
    return {path.name: path.suffix for path in folder.iterdir()}


def test_every_kind_of_picture_is_read(results: Path, tmp_path: Path, run: Run) -> None:
    expected = kinds(tmp_path / "kinds")
    done = run("predict", results, tmp_path / "kinds", "--faces", "never", "--json")
    assert done.code == 0, done.err
    found = {Path(json.loads(x)["picture"]).name: json.loads(x) for x in done.out.splitlines()}
    assert found.keys() == expected.keys()
    same = [found[n]["faces"][0]["probabilities"]["sad"] for n in ("sixteen.png", "moving.gif")]
    same.append(found["lossless.webp"]["faces"][0]["probabilities"]["sad"])
    assert max(same) - min(same) < 1e-5  # the same grey, first frame, 16 bits


def broken(folder: Path) -> None:
    folder.mkdir()
    save(folder / "whole.png", 40)
    content = (folder / "whole.png").read_bytes()
    (folder / "truncated.png").write_bytes(content[: len(content) // 2])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("a face")
    (folder / "huge.png").write_bytes(content[:16] + b"\x00\x10\x00\x00" * 2 + content[24:])
    Image.fromarray(np.zeros((4, 4), np.float32)).save(folder / "float.tiff")
    (folder / "link.png").symlink_to("nowhere.png")
    (folder / "whole.png").unlink()


def test_every_kind_of_broken_picture_is_one_line(results: Path, tmp_path: Path, run: Run) -> None:
    broken(tmp_path / "broken")
    done = run("predict", results, tmp_path / "broken")
    assert done.code == 1
    skipped = [line for line in done.err.splitlines() if line.startswith("skipped")]
    assert len(skipped) == 6, done.err
    assert "Traceback" not in done.err and "6 pictures, 0 faces, 6 skipped" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("predict {r} {p} --format parquet", "--format parquet requires --out"),
        ("predict {r} {p} --json --format csv", "--json and --format cannot be combined"),
        ("predict {r} {p} --out x.docx", "unknown file suffix"),
        ("predict {r} {p} --out {p}/a.png/y.csv", "the folder for it does not exist"),
        ("predict {r} {p} --out {p}/no/y.csv", "the folder for it does not exist"),
        ("predict {r} {p} --out {p}", "unknown file suffix"),
        ("predict {r} {p}/nowhere.png", "no such file or folder"),
        ("predict {p} {p}", "neither a model folder nor a results folder"),
        ("predict {p}/nowhere {p}", "no such folder"),
        ("predict {p}/a.png {p}", "is a file, not the folder of a model"),
        ("predict {r} {p} --device cuda:7", "no such device here"),
        ("predict {r} {p} --detector dlib", "no such face detector"),
        ("models list {p}", "not a results folder"),
        ("models show {p}", "neither a model folder nor a results folder"),
        ("confirm {r}", "missing option --seeds"),
    ],
)
def test_bad_input_is_one_message(
    results: Path, pictures: Path, run: Run, words: str, message: str
) -> None:
    done = run(*words.format(r=results, p=pictures).split())
    assert done.code == 2, done
    errors = [line for line in done.err.splitlines() if line.startswith("fer-tune: ")]
    assert len(errors) == 1 and message in errors[0]
    assert "Traceback" not in done.err and done.out == ""


@pytest.mark.parametrize(
    "words",
    [
        "predict {long} {p}",
        "predict {r} {long}",
        "predict {r} {long}.mp4",
        "predict {r} {long}/*.png",
        "models list {long}",
        "models show {long}",
        "evaluate {long} --data {p}",
        "evaluate {r} --data {long}",
        "data audit {long}",
        "report {long}",
        "search quickstart --data {long}",
        "resume {long}",
    ],
)
def test_a_name_that_is_too_long_is_one_message(
    results: Path, pictures: Path, run: Run, words: str
) -> None:
    done = run(*words.format(r=results, p=pictures, long="x" * 300).split())
    assert done.code == 2 and "Traceback" not in done.err, done
    assert "File name too long" in done.err or "no such" in done.err


def test_a_results_folder_without_models_says_how_to_get_them(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "old results"
    root.mkdir()
    Results(root).write_manifest({"state": "finished", "space": {"metric": "macro_f1"}})
    for words in (("predict", root, tmp_path), ("models", "list", root), ("models", "show", root)):
        save(tmp_path / "x.png", 40)
        done = run(*words)
        assert done.code == 2 and "this results folder has no models" in done.err
        assert f"fer-tune confirm '{root}' --keep-models" in done.err


def test_the_rule_that_is_printed_is_the_one_that_applies(tmp_path: Path, run: Run) -> None:
    dataset = card_values()["dataset"]
    model = make_model(tmp_path / "m", dataset={**dataset, "audit": {"largest": [64, 60]}})
    save(tmp_path / "p" / "small.png", 128)
    done = run("predict", model, tmp_path / "p")
    assert done.code == 0 and "at most 128 pixels" in " ".join(done.err.split())
    assert "whole" in done.out


def test_a_search_that_has_not_finished_is_to_be_resumed(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "r"
    root.mkdir()
    Results(root).write_manifest({"state": "interrupted"})
    done = run("models", "list", root)
    assert done.code == 2 and f"Finish the search first: fer-tune resume {root}" in done.err


def test_names_cannot_control_the_terminal(results: Path, tmp_path: Path, run: Run) -> None:
    save(tmp_path / "p" / "a\x1b[31mred\n.png", 40)
    for form in ("table", "csv", "jsonl"):
        done: Any = run("predict", results, tmp_path / "p", "--format", form)
        assert done.code == 0 and "\x1b" not in done.out + done.err
