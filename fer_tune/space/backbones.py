"""Names of the backbones, as plain data: checking a search space must not import torch."""

from __future__ import annotations

#: In torchvision's spelling. ``fer_tune.models`` builds every one of them and no other.
BACKBONES: tuple[str, ...] = (
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
)
