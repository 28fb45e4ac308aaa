"""A small model folder, made without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fer_tune.models.card import Card
from fer_tune.models.card_file import WEIGHTS, write_card
from fer_tune.models.initial import draw
from fer_tune.models.kept import write_weights
from fer_tune.models.network import CutNetwork, build, frozen_stages
from fer_tune.models.registry import backbone
from fer_tune.models.whole import whole_state

CLASSES = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def cut(name: str = "resnet18", depth: int = 1, classes: int = len(CLASSES)) -> CutNetwork:
    entry = backbone(name)
    state = draw(entry, 0)
    network = build(
        entry,
        state,
        unfreeze_depth=depth,
        classes=classes,
        dropout=0.3,
        seed=0,
        frozen=frozen_stages(entry, state, torch.float32, torch.device("cpu")),
    )
    with torch.no_grad():  # drawn heads give nearly equal logits
        network.tail[-1].linear.weight.mul_(30)
    return network


def card_values(sha256: str = "0" * 64, **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "sha256": sha256,
        "arm": "resnet18",
        "backbone": "resnet18",
        "unfreeze_depth": 1,
        "precision": "float32",
        "classes": list(CLASSES),
        "preprocessing": {"max_side": 256, "channels": 1, "resize_ratio": 1.14, "crop_size": 32},
        "temperature": 1.5,
        "weights": {"recipe": "none"},
        "dataset": {
            "fingerprint": "ab" * 32,
            "splits": {
                "validation_share": 0.2,
                "split_seed": 0,
                "leaks": "drop",
                "conflicts": "drop",
            },
        },
        "scores": {
            "validation_macro_f1": 0.61,
            "validation_accuracy": 0.62,
            "validation_loss": 1.1,
            "test_macro_f1": 0.51,
            "test_accuracy": 0.52,
            "test_clean_macro_f1": 0.49,
            "test_clean_accuracy": 0.5,
        },
        "run": 7,
        "replicate": 0,
        "seed": 3,
        "epoch": 2,
        "config": {"backbone": "resnet18", "dropout": 0.3},
        "versions": {"torch": torch.__version__},
        "created": 1e9,
        **changes,
    }


def make_model(folder: Path, network: CutNetwork | None = None, **changes: Any) -> Path:
    """A model folder; ``changes`` go to the card."""
    name = changes.get("backbone", "resnet18")
    network = network or cut(name)
    folder.mkdir(parents=True, exist_ok=True)
    state = whole_state(backbone(name), network.prefix, network.tail)
    sha256 = write_weights(state, folder / WEIGHTS)
    write_card(Card.model_validate(card_values(**{"sha256": sha256, **changes})), folder)
    return folder
