"""Which models a search keeps, on a path and at a URL, whatever happens in between."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.errors import ResultsError
from fer_tune.models.card_file import read_card
from fer_tune.models.kept import open_model
from fer_tune.records import Results
from fer_tune.serving.finding import find_model
from fer_tune.storage import AnyPath
from fer_tune.tuning import kept_models
from fer_tune.tuning.files.candidates import candidate_folder, candidates, save_candidate
from fer_tune.tuning.kept_models import RemoveWorse, arm_scores, best_runs, keep_models
from fer_tune.tuning.log.manifest import first_manifest
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.settings import splits_of
from tests.object_store import ObjectStore
from tests.training.conftest import make
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_checkpoints import RUN

pytestmark = pytest.mark.slow

ARMS = ("densenet121", "resnet18")
SPACE = make_space(compare={"arms": list(ARMS)})
SCORES = {
    "test_macro_f1": 0.3,
    "test_accuracy": 0.3,
    "test_clean_macro_f1": 0.3,
    "test_clean_accuracy": 0.3,
}


def confirmation(
    number: int, arm: str, validation: float, test: float = 0.5, replicate: int = 0
) -> RunHistory:
    """A confirmation run that has ended with these macro-F1."""
    assignment = replace(RUN, number=number, arm=arm, replicate=replicate, cohort="confirm")
    last = {
        "best_val_macro_f1": validation,
        "best_val_accuracy": 1 - validation,
        "best_val_loss": validation,
        "test_macro_f1": test,
    }
    return RunHistory(assignment=assignment, planned="confirm", results=[last], done=True)


RUNS = [
    confirmation(10, "densenet121", 0.6, test=0.9),
    confirmation(11, "resnet18", 0.4, test=0.8),
    confirmation(12, "densenet121", 0.7, test=0.1),
    confirmation(13, "resnet18", 0.4, test=0.9),
    confirmation(14, "densenet121", 0.7, test=0.95),
]


def test_validation_decides_test_does_not_and_the_earliest_wins_a_tie() -> None:
    def numbers(metric: str) -> dict[str, int]:
        return {arm: run.assignment.number for arm, run in best_runs(RUNS, metric).items()}

    assert numbers("macro_f1") == {"densenet121": 12, "resnet18": 11}
    assert numbers("accuracy") == {"densenet121": 10, "resnet18": 11}
    assert numbers("loss") == {"densenet121": 10, "resnet18": 11}


def test_the_unit_of_an_arms_mean_is_the_study_or_the_only_studys_run() -> None:
    one = arm_scores([r for r in RUNS if r.assignment.arm == "densenet121"])
    assert (one.unit, one.n) == ("confirmation runs", 3)
    assert one.mean == pytest.approx(0.65) and one.low < 0 < 1 < one.high  # as wide as t(2) is
    two = arm_scores(
        [
            confirmation(1, "a", 0.5, test=0.4, replicate=0),
            confirmation(2, "a", 0.5, test=0.6, replicate=0),
            confirmation(3, "a", 0.5, test=0.7, replicate=1),
        ]
    )
    assert (two.unit, two.n, two.mean) == ("studies", 2, pytest.approx(0.6))
    alone = arm_scores([RUNS[0]])
    assert (alone.n, alone.mean, alone.low, alone.high) == (1, 0.9, None, None)


@pytest.fixture(scope="module")
def run(faces: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that has been trained for an epoch."""
    build = make.__wrapped__(faces, tmp_path_factory.mktemp("run"))
    made = build(keep_best=True)
    made.run_epoch()
    return made


@pytest.fixture
def light(run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same with hardly any weights, for tests that open no model: a whole one is 45 MB."""
    monkeypatch.setattr(run, "whole_state", lambda: {"weight": torch.zeros(4)})
    return run


@pytest.fixture(params=["path", "URL"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> AnyPath:
    if request.param == "path":
        return tmp_path / "results"
    store: ObjectStore = request.getfixturevalue("store")
    return store.folder(f"kept/{request.node.name}")


@pytest.fixture
def search(root: AnyPath, faces: PackedDataset) -> Any:
    """A search with the runs of this file, as far as keeping models needs it."""
    results = Results(root)
    manifest = first_manifest(SPACE, faces, splits_of(SPACE, faces), 0.0)
    results.write_manifest(manifest)
    return SimpleNamespace(
        space=SPACE,
        results=results,
        console=Console(file=io.StringIO(), width=200),
        history=SimpleNamespace(
            runs={r.assignment.number: r for r in RUNS}, audit_version=AUDIT_VERSION
        ),
    )


CHOICES = [
    {"arm": "densenet121", "replicate": 0, "trial": 3, "runs": [10, 12, 14]},
    {"arm": "resnet18", "replicate": 0, "trial": 5, "runs": [11, 13]},
]


def leave(run: Any, root: AnyPath, *numbers: int) -> None:
    for number in numbers:
        arm = next(r.assignment.arm for r in RUNS if r.assignment.number == number)
        assignment = replace(RUN, number=number, arm=arm, cohort="confirm")
        save_candidate(run, assignment, SCORES, root)


def ray_trial(number: int) -> Any:
    return SimpleNamespace(config={"run": replace(RUN, number=number).as_dict()})


def kept(root: AnyPath) -> dict[str, int]:
    return {
        arm: read_card(root / "models" / arm).run
        for arm in ARMS
        if (root / "models" / arm / "card.json").is_file()
    }


def test_worse_models_are_removed_as_runs_end(light: Any, search: Any, root: AnyPath) -> None:
    after_a_run = RemoveWorse(search, CHOICES)
    unfinished = search.history.runs.pop(14)
    leave(light, root, 10, 11, 12, 14)
    after_a_run.on_trial_complete(trial=ray_trial(12))
    assert candidates(root) == {11, 12, 14}  # 14 still runs, as far as the driver knows
    search.history.runs[14] = unfinished
    leave(light, root, 13)
    after_a_run.on_trial_complete(trial=ray_trial(14))
    assert candidates(root) == {11, 12}


def test_the_best_are_kept_and_nothing_else_is_left(
    run: Any, search: Any, root: AnyPath, faces: PackedDataset
) -> None:
    leave(run, root, 10, 11, 12)
    keep_models(search, CHOICES)
    assert kept(root) == {"densenet121": 12, "resnet18": 11}
    assert candidates(root) == set() and not candidate_folder(root, 12).exists()
    card = open_model(root / "models" / "resnet18").card
    assert (card.trial, card.arm_scores.n, card.dataset.fingerprint) == (5, 2, faces.fingerprint)
    model = find_model(root)
    pictures = run.pictures(run.split.test, None)
    with torch.no_grad():
        assert torch.allclose(model.network(pictures), run.test_logits(), atol=1e-4)
    assert "model of resnet18: " in search.console.file.getvalue()


def test_more_seeds_replace_a_model_or_update_the_scores_beside_it(
    light: Any, search: Any, root: AnyPath
) -> None:
    leave(light, root, 10, 11)
    later = {n: search.history.runs.pop(n) for n in (12, 13, 14)}
    keep_models(search, CHOICES)
    assert kept(root) == {"densenet121": 10, "resnet18": 11}
    created = read_card(root / "models/resnet18").created
    search.history.runs.update(later)
    leave(light, root, 12, 13)
    keep_models(search, CHOICES)
    assert kept(root) == {"densenet121": 12, "resnet18": 11}
    updated = read_card(root / "models/resnet18")
    assert updated.arm_scores.n == 2 and updated.created == created


def test_a_kill_while_models_are_put_into_place_loses_none(
    run: Any, search: Any, root: AnyPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(run, root, 11, 12)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("copy_file", "write_card", "drop_candidates"):
        with monkeypatch.context() as patched:
            patched.setattr(kept_models, step, killed)
            with pytest.raises(KeyboardInterrupt):
                keep_models(search, CHOICES)
        assert candidates(root) == {11, 12}
    keep_models(search, CHOICES)
    assert kept(root) == {"densenet121": 12, "resnet18": 11}
    assert open_model(root / "models" / "densenet121").card.run == 12


def test_a_model_that_is_not_the_best_is_not_kept_in_its_place(
    light: Any, search: Any, root: AnyPath
) -> None:
    """The best run's model is missing, as if it had been scored by an earlier version."""
    leave(light, root, 10, 13)
    keep_models(search, CHOICES)
    assert kept(root) == {}
    missing = [run.assignment.number for run in kept_models.without_model(search, CHOICES)]
    assert missing == [12, 11]
    printed = search.console.file.getvalue()
    assert "no model of densenet121 was kept" in printed and "--keep-models" in printed


def test_a_damaged_model_counts_as_missing(run: Any, search: Any, root: AnyPath) -> None:
    leave(run, root, 11, 12)
    keep_models(search, CHOICES)
    assert kept_models.without_model(search, CHOICES) == []
    weights = root / "models" / "resnet18" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (root / "models" / "densenet121" / "model.safetensors").unlink()
    missing = [run.assignment.number for run in kept_models.without_model(search, CHOICES)]
    assert missing == [12, 11]


def test_a_kill_while_candidates_are_removed_leaves_none_that_looks_complete(
    light: Any, search: Any, root: AnyPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order in which a folder's files are removed."""
    leave(light, root, 11, 12)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("fer_tune.tuning.files.candidates.remove_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            keep_models(search, CHOICES)
    keep_models(search, CHOICES)
    assert kept(root) == {"densenet121": 12, "resnet18": 11} and candidates(root) == set()


def test_a_model_of_a_superseded_choice_is_removed(light: Any, search: Any, root: AnyPath) -> None:
    leave(light, root, 11, 12)
    keep_models(search, CHOICES)
    keep_models(search, [CHOICES[0], {**CHOICES[1], "runs": []}])
    assert kept(root) == {"densenet121": 12}
    assert not (root / "models" / "resnet18").exists()


def test_without_a_scored_run_there_is_no_model_to_train_again(search: Any) -> None:
    search.history.runs.clear()
    with pytest.raises(ResultsError, match="no confirmation run has a test score"):
        kept_models.retrain(search, CHOICES)


def test_a_damaged_candidate_is_one_message(light: Any, search: Any, root: AnyPath) -> None:
    leave(light, root, 11)
    file = candidate_folder(root, 11) / "candidate.json"
    for content in (b"{", b"[]", b"{}", b'{"temperature": -1}', b"\xff"):
        file.write_bytes(content)
        with pytest.raises(ResultsError) as caught:
            keep_models(search, CHOICES)
        assert "000011" in str(caught.value) and kept(root) == {}


def test_a_restarted_run_replaces_its_model(light: Any, root: AnyPath) -> None:
    leave(light, root, 11, 11)
    assert candidates(root) == {11}
    names = sorted(one.name for one in candidate_folder(root, 11).iterdir())
    assert names == ["candidate.json", "model.safetensors"]
