"""`fer-tune export`: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fer_tune.data import PackedDataset
from fer_tune.models.kept import open_model
from tests.command_line import Run
from tests.serving.small_models import write_small

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, faces: PackedDataset) -> Path:
    """A model folder whose card names the drawn faces as its dataset."""
    folder = tmp_path_factory.mktemp("models") / "resnet18"
    dataset = {
        "fingerprint": faces.fingerprint,
        "splits": {
            "validation_share": 0.2,
            "split_seed": 0,
            "leaks": "drop",
            "conflicts": "drop",
        },
    }
    write_small(folder, dataset=dataset, classes=list(faces.classes), precision="bfloat16")
    return folder


def test_torchscript(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    done = run("export", model, "--format", "torchscript", "--out", out)
    assert done.code == 0, done.err
    assert "64 generated pictures" in done.out and "trained and scored in bfloat16" in done.out
    again = run("export", model, "--format", "torchscript", "--out", out)
    assert again.code == 2 and "--force" in again.err


def test_json_with_the_pictures_of_the_search(
    run: Run, model: Path, faces: PackedDataset, tmp_path: Path
) -> None:
    words = ["--format", "torchscript", "--out", tmp_path / "m.pt", "--preprocess", "inside"]
    done = run("export", model, *words, "--data", faces.root, "--json")
    found = json.loads(done.out)
    assert found["check"]["kind"] == "validation" and found["preprocessing"] == "inside"
    assert found["check"]["largest_probability_difference"] < 1e-3
    assert found["bytes"] == (tmp_path / "m.pt").stat().st_size


def test_larger_pictures_are_left_to_the_caller(run: Run, model: Path, tmp_path: Path) -> None:
    words = ["--format", "torchscript", "--out", tmp_path / "m.pt", "--preprocess", "inside"]
    done = run("export", model, *words)
    assert "longer side at most 256 px; reduce larger ones first (Lanczos)" in done.out


def test_safetensors(run: Run, model: Path, tmp_path: Path) -> None:
    done = run("export", model, "--format", "safetensors", "--out", tmp_path / "copy")
    assert done.code == 0, done.err
    assert open_model(tmp_path / "copy").card == open_model(model).card


@pytest.mark.slow
def test_int8(run: Run, model: Path, faces: PackedDataset, tmp_path: Path) -> None:
    for module in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(module, reason="ONNX files need the extra onnx")
    out = tmp_path / "m.onnx"
    words = ["--format", "onnx", "--out", out, "--int8", "--data", faces.root, "--json"]
    done = run("export", model, *words)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["int8"]["validation_pictures"] > 0
    assert found["int8"]["equal_top"] > 0.5
    assert found["bytes"] < 0.35 * found["int8"]["bytes_before"]


REFUSED = {
    "int8 without data": (["--format", "onnx", "--out", "m.onnx", "--int8"], "Add --data"),
    "int8 of torchscript": (
        ["--format", "torchscript", "--out", "m.pt", "--int8", "--data", "d"],
        "needs --format onnx",
    ),
    "int8 of safetensors": (
        ["--format", "safetensors", "--out", "m", "--int8"],
        "needs --format onnx",
    ),
    "preprocess of safetensors": (
        ["--format", "safetensors", "--out", "m", "--preprocess", "inside"],
        "--preprocess: cannot be used with --format safetensors",
    ),
    "data of safetensors": (
        ["--format", "safetensors", "--out", "m", "--data", "d"],
        "--data: cannot be used with --format safetensors",
    ),
    "suffix": (["--format", "onnx", "--out", "m.pt"], "should end with .onnx"),
    "folder": (["--format", "onnx", "--out", "none/m.onnx"], "mkdir -p"),
    "no dataset": (
        ["--format", "torchscript", "--out", "m.pt", "--data", "none"],
        "no such folder",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    words, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    done = run("export", model, *words)
    assert done.code == 2 and message in done.err and "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_another_dataset_is_refused(run: Run, faces: PackedDataset, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_small(other, classes=list(faces.classes))
    out = tmp_path / "m.pt"
    done = run("export", other, "--format", "torchscript", "--out", out, "--data", faces.root)
    assert done.code == 2 and "not the dataset of the model's search" in done.err
    assert not out.exists()


def test_a_missing_library_is_named(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    done = run("export", model, "--format", "onnx", "--out", tmp_path / "m.onnx")
    assert done.code == 2 and "pip install 'fer-tune[onnx]'" in done.err
    assert not (tmp_path / "m.onnx").exists()


def test_no_model(run: Run, tmp_path: Path) -> None:
    done = run("export", tmp_path / "none", "--format", "onnx", "--out", tmp_path / "m.onnx")
    assert done.code == 2 and "no such folder" in done.err
