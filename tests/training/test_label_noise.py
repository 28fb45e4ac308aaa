"""Label noise in a run: training alone sees it, and it is the same however the run is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_tune.records import Results
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune.scored_run import score_on_test

NOISY = {"label_noise": 0.5, "lr_head": 3e-3, "lr_backbone": 3e-3}


def truth(run: Any, split: str) -> Any:
    return run.dataset.labels[getattr(run.split, split)]


def test_it_belongs_to_views_not_to_the_run_or_the_configuration(make: Any) -> None:
    run = make(NOISY)
    changed = run.train_labels != truth(run, "train")
    assert 0.3 < changed.mean() < 0.7
    other = make({**NOISY, "crop_size": 48, "batch_size": 8}, seed=9)
    assert (other.train_labels == run.train_labels).all()
    clean = make()
    assert (clean.train_labels == truth(clean, "train")).all()
    assert (make({"label_noise": 0.0}).train_labels == clean.train_labels).all()


def test_the_same_noise_gives_the_same_curve_and_another_share_another(make: Any) -> None:
    curves = [make({"label_noise": share}).run_epoch().val_loss for share in (0.0, 0.5, 0.5)]
    assert curves[1] == curves[2] != curves[0]


def test_training_is_scored_against_noisy_labels_and_validation_against_true_ones(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(NOISY)
    seen: list[Any] = []
    total = type(run._objective).total

    def noting(self: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(labels.numpy().copy())
        return total(self, logits, labels)

    monkeypatch.setattr(type(run._objective), "total", noting)
    run.run_epoch()
    counts = np.bincount(np.concatenate(seen), minlength=run.classes)
    assert (counts == np.bincount(run.train_labels, minlength=run.classes)).all()
    assert (counts != np.bincount(truth(run, "train"), minlength=run.classes)).any()
    expected = np.bincount(truth(run, "validation"), minlength=run.classes)
    assert (run.best_counts.sum(axis=1) == expected).all()


def test_the_test_split_is_scored_against_true_labels(make: Any, tmp_path: Path) -> None:
    run = make(NOISY, keep_best=True)
    run.run_epoch()
    who = Assignment(
        number=0,
        arm="noisy",
        replicate=0,
        cohort="confirm",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=run.config,
    )
    results = Results(tmp_path / "results")
    scored = score_on_test(run, who, results)
    rows = results.read("predictions").sort_values("position")
    names = [run.dataset.classes[label] for label in truth(run, "test")]
    assert rows["true_class"].tolist() == names
    right = (rows["true_class"] == rows["predicted_class"]).mean()
    assert scored["test_accuracy"] == pytest.approx(right)


def test_class_weights_follow_the_labels_that_training_sees(make: Any) -> None:
    run = make({**NOISY, "class_weights": "balanced"})
    weights = run._objective.class_weights
    assert float(weights[torch.from_numpy(run.train_labels)].mean()) == pytest.approx(1.0)
    frequency = np.bincount(run.train_labels, minlength=run.classes) / len(run.train_labels)
    assert weights.numpy() * frequency == pytest.approx(1 / run.classes)


def test_noise_leaves_the_bank_alone(make: Any) -> None:
    make({"label_noise": 0.0}).run_epoch()
    assert make(NOISY).run_epoch().bank_hits == 2


def test_a_restored_run_has_the_same_noise(make: Any, tmp_path: Path) -> None:
    straight = make(NOISY)
    expected = [straight.run_epoch().train_loss for _ in range(3)]
    first = make(NOISY)
    first.run_epoch()
    first.save(tmp_path)
    second = make(NOISY)
    second.restore(tmp_path)
    assert [second.run_epoch().train_loss for _ in range(2)] == expected[1:]
