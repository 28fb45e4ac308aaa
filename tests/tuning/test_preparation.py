"""What is reported before a search begins."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from fer_tune.data import with_label_noise
from fer_tune.tuning.preparation import report_idle_gpu, report_unweighted_classes
from tests.tuning.conftest import BASE, make_space

CLASSES = ("angry", "disgust", "happy")


def reported(labels: list[int], **changes: Any) -> str:
    dataset: Any = SimpleNamespace(classes=CLASSES, labels=np.array(labels))
    split: Any = SimpleNamespace(train=np.arange(len(labels)))
    out = StringIO()
    space = make_space(**changes)
    report_unweighted_classes(space, dataset, split, Console(file=out, width=200))
    return out.getvalue()


def parameters(**changes: Any) -> dict[str, Any]:
    return {"parameters": {**BASE["parameters"], **changes}}


BALANCED = {
    "fixed": parameters(class_weights="balanced"),
    "sampled": parameters(class_weights={"type": "choice", "values": ["none", "balanced"]}),
    "in one arm": parameters(class_weights={"per_arm": {"resnet152": "balanced"}}),
    "a baseline": {"cohorts": {"baseline": [{"class_weights": "balanced"}]}},
    "compared": {
        "compare": {"parameter": "class_weights", "arms": ["none", "balanced"]},
        **parameters(backbone="resnet18"),
    },
}


@pytest.mark.parametrize("how", BALANCED)
def test_a_class_without_training_pictures_is_reported_once(how: str) -> None:
    text = reported([0, 0, 2, 2], **BALANCED[how])
    assert text == (
        "warning: no training picture has class disgust: with balanced class weights its weight "
        "is 0.\n"
    )


@pytest.mark.parametrize("how", BALANCED)
def test_nothing_is_reported_where_every_class_has_pictures(how: str) -> None:
    assert reported([0, 1, 2], **BALANCED[how]) == ""


def test_nothing_is_reported_without_class_weights() -> None:
    assert reported([0, 0, 2, 2]) == ""
    assert reported([0, 0, 2, 2], **parameters(class_weights="none")) == ""


@pytest.mark.parametrize(
    "noise",
    [
        0.9,
        {"type": "float", "low": 0.0, "high": 0.9},
        {"type": "choice", "values": [0.9, 0.1]},
        {"per_arm": {"resnet152": 0.9}},
    ],
)
def test_label_noise_can_take_every_picture_of_a_class(noise: Any) -> None:
    labels = [0, 2] * 20
    labels[1::2] = [1, *[2] * 19]
    noisy = with_label_noise(np.array(labels), np.arange(40), share=0.9, classes=3, seed=0)
    alone = next(i for i in range(40) if noisy[i] != 1 and labels[i] == 1)
    assert alone == 1
    text = reported(labels, **parameters(class_weights="balanced", label_noise=noise))
    absent = [name for number, name in enumerate(CLASSES) if number not in noisy]
    assert ("at label_noise 0.9 has class" in text) is bool(absent)


@pytest.mark.parametrize(
    ("asked", "gpus", "warned"),
    [(0, 0.0, ""), (0.5, 2.0, ""), (0, 1.0, "1 GPU is not used"), (0, 2.0, "2 GPUs are not used")],
)
def test_gpus_that_no_trial_uses_are_reported(asked: float, gpus: float, warned: str) -> None:
    out = StringIO()
    space = make_space(resources={"cpu": 1, "gpu": asked})
    report_idle_gpu(space, gpus, Console(file=out, width=300))
    said = out.getvalue()
    assert said.count("\n") == bool(warned) and warned in said
    assert not warned or "--set resources.gpu=1" in said
