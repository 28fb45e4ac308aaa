"""`fer-tune probe`, in the process of the test; what it computes is tested in ``tests/probing``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_search import Plan, write

from fer_tune.data import PackedDataset
from fer_tune.space import SearchSpace
from tests.command_line import Run
from tests.undrawn import undrawn

SPACE: dict[str, Any] = {
    "name": "probed",
    "purpose": "Probed.",
    "compare": {"arms": ["resnet18", "resnet34"]},
    "parameters": {"unfreeze_depth": 0, "crop_size": {"type": "choice", "values": [32, 48]}},
    "budget": {"trials": 8, "max_epochs": 4},
    "metric": "accuracy",
    "scheduler": {"kind": "none"},
    "resources": {"cpu": 1, "gpu": 0},
    "precision": "float32",
    "weights": "none",
}


@pytest.fixture(autouse=True)
def bank(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_TUNE_BANK", str(tmp_path_factory.getbasetemp() / "probe-bank"))


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "probed.yaml"
    path.write_text(yaml.safe_dump(SPACE))
    return path


def test_a_table_with_progress_or_json_and_a_file(
    run: Run, space: Path, faces: PackedDataset, tmp_path: Path
) -> None:
    words = ("probe", space, "--data", faces.root, "--folds", "3", "--arm", "resnet18")
    shown = run(*words, "--crop", "32")
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[0].startswith("resnet18, 32 px: features of")
    heads = next(line for line in lines if line.startswith("arm "))
    assert heads.split()[2:5] == ["accuracy", "macro-F1", "loss"]  # the space's metric first
    assert "it is no check of a search" in " ".join(shown.out.split())
    printed = run(*words, "--crop", "32", "--json", "--out", tmp_path / "probe.json")
    assert printed.code == 0 and "fold 3 of 3" in printed.err
    found = json.loads(printed.out)
    assert json.loads((tmp_path / "probe.json").read_text()) == found
    assert found["metric"] == "accuracy" and len(found["rows"]) == 1
    assert found["fingerprint"] == faces.fingerprint


def test_of_a_search_it_is_in_the_report(run: Run, faces: PackedDataset, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    plan = Plan(skill={"resnet18": 0.6, "resnet34": 0.62}, trials=4, seeds=5)
    recorded = SearchSpace.from_dict({**SPACE, "metric": "macro_f1"}).as_dict()
    dataset = {"path": str(faces.root), "fingerprint": faces.fingerprint}
    write(folder, plan, space=recorded, dataset=dataset, audit_version=2)
    done = run("probe", "--results", folder, "--folds", "3", "--crop", "32")
    assert done.code == 0 and f"written to {folder / 'probe.json'}" in done.out, done.err
    with undrawn():
        reported = run("report", folder, "--json")
    assert reported.code == 0, reported.err
    found = json.loads((folder / "report" / "report.json").read_text())["probe"]
    assert found["status"] == "measured" and found["about"]["same_weights"] is True
    assert [case["arm"] for case in found["cases"]] == ["resnet18", "resnet34"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "missing option --data"),
        (("--data", "none"), "none"),
        (("--results", "none"), "none"),
        (("SPACE", "--results", "r"), "--results: cannot be combined"),
        (("SPACE", "--data", "FACES", "--arm", "vgg"), "--arm: is no arm of the search space"),
        (("SPACE", "--data", "FACES", "--folds", "50"), "too few training pictures for 50 folds"),
        (("SPACE", "--data", "FACES", "--folds", "2"), "--folds"),
        (("SPACE", "--data", "FACES", "--out", "no/where"), "--out: the folder for it does not"),
        (("SPACE", "--data", "FACES", "--set", "weights=none.pt"), "none.pt"),
    ],
)
def test_what_cannot_be_probed_is_one_message(
    run: Run, space: Path, faces: PackedDataset, words: tuple[str, ...], message: str
) -> None:
    stand = {"SPACE": space, "FACES": faces.root}
    done = run("probe", *(stand.get(word, word) for word in words))
    assert done.code == 2 and message in done.err and "Traceback" not in done.err


def test_the_weights_of_the_search_must_be_there(
    run: Run, faces: PackedDataset, tmp_path: Path
) -> None:
    recorded = SearchSpace.from_dict({**SPACE, "weights": str(tmp_path / "w.pt")}).as_dict()
    dataset = {"path": str(faces.root), "fingerprint": faces.fingerprint}
    write(tmp_path / "r", Plan(trials=4, confirmed=False), space=recorded, dataset=dataset)
    done = run("probe", "--results", tmp_path / "r")
    assert done.code == 2 and "w.pt" in done.err and not (tmp_path / "r/probe.json").exists()


def test_another_dataset_than_the_searchs_is_refused(
    run: Run, faces: PackedDataset, tmp_path: Path
) -> None:
    recorded = SearchSpace.from_dict(SPACE).as_dict()
    dataset = {"path": str(faces.root), "fingerprint": "0" * 64}
    write(tmp_path / "r", Plan(trials=4, confirmed=False), space=recorded, dataset=dataset)
    done = run("probe", "--results", tmp_path / "r", "--data", faces.root)
    assert done.code == 2 and faces.fingerprint in done.err


def test_a_folder_that_cannot_be_written_is_refused_before_the_probe(
    run: Run, faces: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_tune.probing.probe.probe", lambda *args, **more: pytest.fail("probed"))
    recorded = SearchSpace.from_dict(SPACE).as_dict()
    dataset = {"path": str(faces.root), "fingerprint": faces.fingerprint}
    write(tmp_path / "r", Plan(trials=4, confirmed=False), space=recorded, dataset=dataset)
    (tmp_path / "r" / "probe.json").mkdir()
    done = run("probe", "--results", tmp_path / "r")
    assert done.code == 2 and "--results: is a folder, not a file" in done.err


def test_results_without_a_search_space_name_a_remedy(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "r", Plan(trials=4, confirmed=False)) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "space": None}))
    done = run("probe", "--results", tmp_path / "r")
    assert done.code == 2 and "or no dataset. Name the results folder of a search" in done.err
