"""The initial tensors of a trial: drawn once per process for all that they rest on."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_tune.models.registry import Backbone
from fer_tune.training import inputs


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The backbones of which tensors were drawn, in a process that has drawn none."""
    found: list[str] = []
    draw = inputs.draw

    def noting(backbone: Backbone, seed: int) -> dict[str, torch.Tensor]:
        found.append(f"{backbone.name} {seed}")
        return draw(backbone, seed)

    monkeypatch.setattr(inputs, "draw", noting)
    monkeypatch.setattr(inputs, "_calibrated", OrderedDict())
    return found


def test_trials_that_differ_in_what_does_not_matter_share_them(
    make: Any, tmp_path: Path, drawn: list[str]
) -> None:
    first = make({"unfreeze_depth": 2, "lr_head": 0.01})
    first.run_epoch()  # trains tensors of its own
    second = make({"dropout": 0.4}, bank=str(tmp_path / "other"), max_epochs=2, views=4)
    assert drawn == ["resnet18 0"] and second._initial is first._initial


def test_what_they_rest_on_tells_them_apart(make: Any, drawn: list[str]) -> None:
    run = make()
    others = [
        make({"crop_size": 48}),
        make(validation_share=0.5),
        make(split_seed=1),
        make(resize_ratio=1.3),
        make(precision="bfloat16"),
    ]
    name = "bn1.running_mean"
    assert drawn == ["resnet18 0"] * 6
    assert not any(torch.equal(run._initial[name], other._initial[name]) for other in others)
    seeded, _ = inputs.initial_state(run.context, "resnet18", 32, 1, run.compute)
    other, _ = inputs.initial_state(run.context, "resnet34", 32, 0, run.compute)
    assert drawn[6:] == ["resnet18 1", "resnet34 0"] and seeded.keys() != other.keys()
    assert not torch.equal(seeded["conv1.weight"], run._initial["conv1.weight"])
