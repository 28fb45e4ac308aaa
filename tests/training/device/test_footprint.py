"""The estimate of memory against what real training steps keep, on the CPU and in small."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from fer_tune.models.convolution import TrainedConv2d
from fer_tune.models.initial import draw
from fer_tune.models.network import build
from fer_tune.models.registry import STAGES, backbone
from fer_tune.training.device.footprint import counting, footprint

SHAPES = [
    ("resnet18", 1, 48, 8),
    ("resnet18", 5, 64, 6),
    ("resnet50", 2, 64, 4),
    ("densenet121", 1, 64, 8),
    ("densenet121", 3, 48, 4),
]


@pytest.fixture(autouse=True)
def convolutions_of_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate is of an accelerator; a CPU keeps the columns of some convolutions as well."""
    monkeypatch.setattr(TrainedConv2d, "forward", nn.Conv2d.forward)


@cache
def drawn(name: str) -> dict[str, Tensor]:
    """Of the backbone without classifier; what is trained gets copies of it."""
    return draw(backbone(name), seed=0)


def network(name: str, depth: int) -> tuple[nn.Module, nn.Module]:
    cut = build(backbone(name), drawn(name), unfreeze_depth=depth, classes=8, dropout=0.5, seed=0)
    return cut.prefix, cut.tail


def real_step(
    name: str, depth: int, crop: int, batch: int, dtype: torch.dtype
) -> tuple[int, int, int]:
    """Bytes that a real step saves (its input included), that it has alive at most, of weights."""
    prefix, tail = network(name, depth)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32)
    pictures = torch.randint(0, 256, (batch, 3, crop, crop), dtype=torch.uint8)
    with torch.no_grad(), autocast:
        features = prefix(pictures)
    features = features if depth == len(STAGES) else features.to(dtype)
    own = {tensor.untyped_storage().data_ptr() for tensor in (*tail.parameters(), *tail.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    tail.train()
    with counting() as live, saved_tensors_hooks(keep, lambda tensor: tensor):
        with autocast:
            logits = tail(features)
        saved = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
        kept.clear()
        logits.float().sum().backward()
    weights = sum(
        t.untyped_storage().nbytes()
        for m in (prefix, tail)
        for t in (*m.parameters(), *m.buffers())
    )
    return saved, live.peak, weights


@pytest.mark.parametrize(("name", "depth", "crop", "batch"), SHAPES)
def test_activations_are_what_autograd_saves(name: str, depth: int, crop: int, batch: int) -> None:
    estimate = footprint(name, unfreeze_depth=depth, crop_size=crop, batch_size=batch)
    saved, peak, weights = real_step(name, depth, crop, batch, torch.float32)
    assert estimate.activations == pytest.approx(saved, rel=0.05)
    assert estimate.weights == weights
    assert peak < estimate.step + estimate.activations * 0.05
    assert estimate.step < 1.5 * peak + estimate.gradients


@pytest.mark.parametrize(("name", "depth", "crop", "batch"), SHAPES)
def test_bfloat16_saves_half_and_copies_of_the_weights(
    name: str, depth: int, crop: int, batch: int
) -> None:
    estimate = footprint(
        name, unfreeze_depth=depth, crop_size=crop, batch_size=batch, dtype=torch.bfloat16
    )
    saved, peak, _ = real_step(name, depth, crop, batch, torch.bfloat16)
    copies = estimate.gradients // 2  # autocast saves its own of every weight
    assert estimate.activations + copies == pytest.approx(saved, rel=0.15)
    assert 0.8 * peak < estimate.step + copies < 1.5 * peak + estimate.gradients


def test_memory_grows_with_depth_crop_and_batch_and_adamw_keeps_more_than_sgd() -> None:
    def total(depth: int = 2, crop: int = 64, batch: int = 8, optimizer: str = "adamw") -> int:
        return footprint(
            "resnet50",
            unfreeze_depth=depth,
            crop_size=crop,
            batch_size=batch,
            optimizer=optimizer,
        ).total

    assert sorted(range(6), key=lambda depth: total(depth=depth, batch=64)) == list(range(6))
    assert total() < total(crop=96) and total() < total(batch=64)
    assert total(optimizer="sgd") < total()


def test_the_flagships_largest_trial_needs_what_its_description_says() -> None:
    """A GPU of 24 GB holds one such trial in bfloat16, and two of the common ones."""
    gib = 2**30

    def total(crop: int, depth: int) -> float:
        return (
            footprint(
                "densenet161",
                unfreeze_depth=depth,
                crop_size=crop,
                batch_size=128,
                dtype=torch.bfloat16,
            ).total
            / gib
        )

    assert 13 < total(224, 5) < 20
    assert total(160, 5) < 10
