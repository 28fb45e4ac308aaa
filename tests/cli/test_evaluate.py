"""`fer-tune evaluate`: a kept model, an ONNX file and a predictions file; what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_tune.data import PackedDataset, import_source
from fer_tune.models.card_file import CARD
from tests.command_line import Run
from tests.serving.trained import Trained, train_and_keep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(faces: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_and_keep(faces, tmp_path_factory.mktemp("kept") / "resnet18")


@pytest.fixture(scope="module")
def predictions(trained: Trained, faces: PackedDataset, tmp_path_factory: Any) -> Path:
    """The model's own test predictions as a CSV."""
    path = tmp_path_factory.mktemp("files") / "ours.csv"
    logits = torch.from_numpy(trained.test_logits) / trained.card.temperature
    with path.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["picture", *faces.classes])
        for position, row in zip(trained.run.split.test, logits.softmax(dim=1), strict=True):
            table.writerow([faces.origins[position], *row.tolist()])
    return path


def scores(found: dict[str, Any]) -> dict[str, float]:
    return {
        f"{prefix}{key}": found[subset][key]["value"]
        for subset, prefix in (("all", ""), ("clean", "clean_"))
        for key in ("macro_f1", "accuracy")
    }


def evaluated(run: Run, *words: object) -> dict[str, Any]:
    code, out, err = run("evaluate", *words, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_model_and_its_predictions_have_the_recorded_scores(
    run: Run, trained: Trained, faces: PackedDataset, predictions: Path
) -> None:
    found = evaluated(run, trained.folder, "--data", faces.root)
    assert found["kind"] == "model" and found["tta"] == "none" and found["warnings"] == []
    assert found["model"]["sha256"] == trained.card.sha256
    assert scores(found) == pytest.approx(found["recorded"])
    assert found["recorded"]["macro_f1"] == trained.card.scores.test_macro_f1
    other = evaluated(run, f"predictions:{predictions}", "--data", faces.root)
    assert other["kind"] == "predictions" and other["tta"] is None
    assert scores(other) == scores(found)
    same = [d["all"]["calibration"]["brier"]["value"] for d in (found, other)]
    assert same[0] == pytest.approx(same[1], abs=1e-5)


def test_the_csv_of_predict_is_a_predictions_file(
    run: Run, trained: Trained, faces: PackedDataset, tmp_path: Path
) -> None:
    file = tmp_path / "ours.csv"
    code, _, err = run("predict", trained.folder, faces.root, "--faces", "never", "--out", file)
    assert code == 0, err
    found = evaluated(run, f"predictions:{file}", "--data", faces.root)
    assert scores(found)["macro_f1"] == pytest.approx(trained.card.scores.test_macro_f1)


def test_scores_with_augmentation_are_named_and_never_compared(
    run: Run, trained: Trained, faces: PackedDataset
) -> None:
    for kind in ("flip", "ten-crop"):
        found = evaluated(run, trained.folder, "--data", faces.root, "--tta", kind)
        assert found["tta"] == kind and found["recorded"] is None
    plain = run("evaluate", trained.folder, "--data", faces.root, "--tta", "flip").out
    assert "test-time augmentation: flip" in plain and "the card records" not in plain


@pytest.mark.parametrize(("split", "warning"), [("train", "trained on"), ("validation", "chosen")])
def test_other_splits_are_scored_with_a_warning(
    run: Run, trained: Trained, faces: PackedDataset, split: str, warning: str
) -> None:
    found = evaluated(run, trained.folder, "--data", faces.root, "--split", split)
    assert found["all"]["pictures"] == len(getattr(trained.run.split, split))
    assert len(found["warnings"]) == 1 and warning in found["warnings"][0]
    if split == "validation":
        assert found["all"]["macro_f1"]["value"] == pytest.approx(
            trained.card.scores.validation_macro_f1
        )


def test_another_dataset_is_scored_with_a_warning(
    run: Run, trained: Trained, tmp_path: Path
) -> None:
    import_source("synthetic:60", tmp_path / "other", seed=5)
    found = evaluated(run, trained.folder, "--data", tmp_path / "other")
    assert found["recorded"] is None and "not the dataset" in found["warnings"][0]
    code, _, err = run("evaluate", trained.folder, "--data", tmp_path / "other", "--split", "train")
    assert code == 2 and "--split test" in err


def test_an_onnx_file_is_scored(
    run: Run, trained: Trained, faces: PackedDataset, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="makes an ONNX file with onnx")
    pytest.importorskip("onnxruntime", reason="runs it with onnxruntime")
    from tests.serving.onnx_files import linear_model

    file = linear_model(tmp_path / "m.onnx", trained.card)
    found = evaluated(run, f"onnx:{file}", "--data", faces.root, "--tta", "flip")
    assert found["kind"] == "onnx" and found["tta"] == "flip"
    assert found["all"]["pictures"] == len(trained.run.split.test)


def test_the_terminal_shows_scores_classes_and_confusion(
    run: Run, trained: Trained, faces: PackedDataset
) -> None:
    code, out, _ = run("evaluate", trained.folder, "--data", faces.root)
    assert code == 0
    assert "resnet18 (resnet18) on the test split" in out
    recorded = f"{trained.card.scores.test_macro_f1:.3f}"
    assert out.count(recorded) >= 2 and f"the card records: macro-F1 {recorded}" in out
    for word in (
        "accuracy",
        "macro-F1",
        "clean",
        "ECE",
        "precision",
        "predicted as",
        *faces.classes,
    ):
        assert word in out


def test_the_json_is_written_to_a_file(
    run: Run, predictions: Path, faces: PackedDataset, tmp_path: Path
) -> None:
    words = ("evaluate", f"predictions:{predictions}", "--data", faces.root, "--out")
    code, out, _ = run(*words, tmp_path / "scores.json")
    assert code == 0 and "macro-F1" in out
    found = json.loads((tmp_path / "scores.json").read_text())
    assert found["all"]["pictures"] == int((faces.splits == "test").sum())
    for target in (tmp_path, predictions, tmp_path / "new" / "scores.json"):
        before = predictions.read_bytes()
        code, out, err = run(*words, target)
        assert code == 2 and err.startswith("fer-tune: --out") and not out
        assert predictions.read_bytes() == before


BAD: dict[str, tuple[list[str], str]] = {
    "no_model": (["{tmp}/none"], "no such folder"),
    "a_file": (["{predictions}"], "is a file, not the folder of a model"),
    "empty_folder": (["{tmp}"], "neither a model folder nor a results folder"),
    "no_onnx": (["onnx:{tmp}/none.onnx"], "cannot be read"),
    "not_onnx": (["onnx:{predictions}"], "not an ONNX file exported by fer-tune"),
    "no_predictions": (["predictions:{tmp}/none.csv"], "cannot be read"),
    "no_name": (["predictions:"], "MODEL: no file is named (got 'predictions:')"),
    "no_name_of_onnx": (["onnx:"], "MODEL: no file is named (got 'onnx:')"),
    "tta": (["predictions:{predictions}", "--tta", "flip"], "--tta: needs a model"),
    "tta_none": (["predictions:{predictions}", "--tta", "none"], "--tta: needs a model"),
    "device": (["predictions:{predictions}", "--device", "cpu"], "--device: needs a model"),
    "batch": (["predictions:{predictions}", "--batch-size", "2"], "--batch-size: needs a model"),
    "own_split": (["predictions:{predictions}", "--split", "validation"], "no validation pictures"),
    "wrong_split": (["predictions:{predictions}", "--split", "train"], "not in the train split"),
    "no_device": (["{model}", "--device", "abacus"], "--device: no such device"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_message(
    run: Run, trained: Trained, predictions: Path, faces: PackedDataset, tmp_path: Path, case: str
) -> None:
    words, message = BAD[case]
    if "onnx" in case:
        pytest.importorskip("onnxruntime", reason="reads ONNX files with onnxruntime")
    places = {"tmp": tmp_path, "predictions": predictions, "model": trained.folder}
    filled = [word.format(**places) for word in words]
    code, out, err = run("evaluate", *filled, "--data", faces.root, "--out", tmp_path / "o.json")
    assert code == 2 and not out and message in err
    assert err.startswith("fer-tune: ") and err.count("\n") == 1
    assert not (tmp_path / "o.json").exists()


def test_a_dataset_with_other_classes_is_refused(
    run: Run, trained: Trained, tmp_path: Path
) -> None:
    import_source("synthetic:60", tmp_path / "few", classes=["happy", "sad"])
    code, _, err = run("evaluate", trained.folder, "--data", tmp_path / "few")
    assert code == 2 and "does not have the classes of the dataset: it also has" in err


def test_ten_crops_without_room_are_refused_before_the_dataset_is_read(
    run: Run, trained: Trained, tmp_path: Path
) -> None:
    folder = tmp_path / "tight"
    folder.mkdir()
    for file in trained.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    card = json.loads((folder / CARD).read_text())
    card["preprocessing"]["resize_ratio"] = 1.0
    (folder / CARD).write_text(json.dumps(card))
    code, _, err = run("evaluate", folder, "--data", tmp_path / "none", "--tta", "ten-crop")
    assert code == 2 and "--tta" in err and "no room" in err


def test_a_missing_dataset_is_refused(run: Run, trained: Trained, tmp_path: Path) -> None:
    code, _, err = run("evaluate", trained.folder, "--data", tmp_path / "none")
    assert code == 2 and "no such folder" in err


def test_probabilities_are_calibrated(run: Run, trained: Trained, faces: PackedDataset) -> None:
    found = evaluated(run, trained.folder, "--data", faces.root)
    logits = torch.from_numpy(trained.test_logits) / trained.card.temperature
    confidence = logits.softmax(dim=1).max(dim=1).values.mean().item()
    assert found["all"]["calibration"]["confidence"]["value"] == pytest.approx(confidence, abs=1e-5)
    assert not np.isclose(trained.card.temperature, 1.0), "else this test shows nothing"
