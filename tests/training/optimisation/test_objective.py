"""The loss that is minimised, against its formula and against PyTorch's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from fer_tune.space import TrialConfig
from fer_tune.training.optimisation.objective import Objective, balanced_weights, make_objective

#: Training pictures of FER2013: angry, disgust, fear, happy, sad, surprise, neutral.
FER2013 = [3995, 436, 4097, 7215, 4830, 3171, 4965]
CLASSES = len(FER2013)
LABELS = np.repeat(np.arange(CLASSES), FER2013)
DISGUST, HAPPY = 1, 3


def objective(labels: Any = LABELS, *, version: int = 2, **config: Any) -> Objective:
    settings = TrialConfig(backbone="resnet18", **config)
    cpu = torch.device("cpu")
    return make_objective(settings, np.asarray(labels), CLASSES, version=version, device=cpu)


def pictures(count: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, CLASSES, generator=generator)
    return logits, torch.randint(0, CLASSES, (count,), generator=generator)


def by_formula(logits: torch.Tensor, labels: torch.Tensor, weights: Any, smoothing: float) -> float:
    """The docstring's formula in float64."""
    target = (1 - smoothing) * np.eye(CLASSES)[labels.numpy()] + smoothing / CLASSES
    each = -(target * log_softmax(logits.double().numpy(), axis=1)).sum(axis=1)
    return float((np.asarray(weights)[labels.numpy()] * each).sum())


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.2, 0.9])
@pytest.mark.parametrize("kind", ["none", "balanced"])
def test_a_weight_scales_the_smoothed_loss_of_a_picture(kind: str, smoothing: float) -> None:
    weights = balanced_weights(LABELS, CLASSES) if kind == "balanced" else np.ones(CLASSES)
    mine = objective(class_weights=kind, label_smoothing=smoothing)
    logits, labels = pictures()
    found = float(mine.total(logits, labels))
    assert found == pytest.approx(by_formula(logits, labels, weights, smoothing), rel=1e-5)


def best_target(mine: Objective, label: int) -> torch.Tensor:
    """The probabilities at which the loss of a picture of class ``label`` is least."""
    logits = torch.zeros(1, CLASSES, requires_grad=True)
    descent = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-9)

    def loss() -> torch.Tensor:
        descent.zero_grad()
        value = mine.total(logits, torch.tensor([label]))
        value.backward()
        return value

    descent.step(loss)
    return logits.detach().softmax(dim=1)[0]


@pytest.mark.parametrize("label", [DISGUST, HAPPY])
def test_the_target_of_a_picture_does_not_depend_on_class_weights(label: int) -> None:
    wanted = 0.8 * torch.eye(CLASSES)[label] + 0.2 / CLASSES
    for kind in ("none", "balanced"):
        found = best_target(objective(class_weights=kind, label_smoothing=0.2), label)
        torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)


def test_version_1_gives_a_happy_face_a_third_of_disgust() -> None:
    older = objective(class_weights="balanced", label_smoothing=0.2, version=1)
    assert float(best_target(older, HAPPY)[DISGUST]) == pytest.approx(0.30, abs=0.01)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["none", "balanced"])
def test_version_1_is_pytorchs_own_combination(kind: str, smoothing: float) -> None:
    older = objective(class_weights=kind, label_smoothing=smoothing, version=1)
    logits, labels = pictures()
    expected = torch.nn.functional.cross_entropy(
        logits,
        labels,
        weight=older.class_weights,
        label_smoothing=smoothing,
        reduction="sum",
    )
    assert torch.equal(older.total(logits, labels), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_both_versions_agree_to_the_bit_without_class_weights(smoothing: float) -> None:
    logits, labels = pictures()
    one, two = (
        objective(class_weights="none", label_smoothing=smoothing, version=version)
        for version in (1, 2)
    )
    assert torch.equal(one.total(logits, labels), two.total(logits, labels))


def test_parts_add_up_to_the_whole_batch() -> None:
    mine = objective(class_weights="balanced", label_smoothing=0.1)
    logits, labels = pictures()
    parts = [mine.total(logits[part], labels[part]) for part in (slice(0, 7), slice(7, 40))]
    torch.testing.assert_close(sum(parts), mine.total(logits, labels))


@pytest.mark.parametrize("absent", [[], [DISGUST], [0, DISGUST, 6]])
def test_weights_have_mean_1_over_pictures_and_absent_classes_have_none(absent: list[int]) -> None:
    labels = LABELS[~np.isin(LABELS, absent)]
    weights = balanced_weights(labels, CLASSES)
    assert weights[labels].mean() == pytest.approx(1.0)
    totals = np.bincount(labels, weights[labels], minlength=CLASSES)
    assert np.allclose(totals[totals > 0], totals.max()), "every class counts as much"
    assert [*np.flatnonzero(weights == 0)] == absent


def test_an_absent_class_does_not_spoil_the_gradients() -> None:
    labels = LABELS[LABELS != DISGUST]
    mine = objective(labels, class_weights="balanced", label_smoothing=0.2)
    logits, _ = pictures(len(FER2013))
    logits.requires_grad_()
    mine.total(logits, torch.arange(CLASSES)).backward()
    assert logits.grad is not None
    sizes = logits.grad.abs().sum(dim=1)
    assert sizes[DISGUST] == 0 and (sizes[torch.arange(CLASSES) != DISGUST] > 0).all()
    assert sizes.max() < 10, "with version 1 an absent class outweighs all others"


def test_weights_did_not_change_where_every_class_is_present() -> None:
    one, two = (objective(class_weights="balanced", version=version) for version in (1, 2))
    assert one.class_weights is not None and two.class_weights is not None
    assert torch.equal(one.class_weights, two.class_weights)
