"""Kept models without training: drawn weights and a card."""

from __future__ import annotations

from pathlib import Path

import torch

from fer_tune.models.card import Card
from fer_tune.models.card_file import WEIGHTS, write_card
from fer_tune.models.initial import draw
from fer_tune.models.kept import KeptModel, open_model, write_weights
from fer_tune.models.network import build
from fer_tune.models.registry import backbone
from fer_tune.models.whole import whole_network, whole_state

CLASSES = ["angry", "happy", "sad"]


def small_card(name: str = "resnet18", *, crop: int = 32, **changes: object) -> Card:
    """A card with made-up scores."""
    scores = dict.fromkeys(
        (
            "validation_macro_f1",
            "validation_accuracy",
            "validation_loss",
            "test_macro_f1",
            "test_accuracy",
            "test_clean_macro_f1",
            "test_clean_accuracy",
        ),
        0.5,
    )
    content: dict[str, object] = {
        "schema_version": 1,
        "sha256": "0" * 64,
        "arm": name,
        "backbone": name,
        "unfreeze_depth": 1,
        "precision": "float32",
        "classes": CLASSES,
        "preprocessing": {
            "max_side": 256,
            "channels": 1,
            "resize_ratio": 1.14,
            "crop_size": crop,
        },
        "temperature": 1.7,
        "weights": {"recipe": "none"},
        "dataset": {
            "fingerprint": "1" * 64,
            "splits": {
                "validation_share": 0.2,
                "split_seed": 0,
                "leaks": "drop",
                "conflicts": "drop",
            },
        },
        "scores": scores,
        "run": 1,
        "replicate": 0,
        "seed": 0,
        "epoch": 1,
        "config": {},
        "versions": {},
        "created": 0.0,
    }
    return Card.model_validate(content | changes)


def small_model(name: str = "resnet18", *, crop: int = 32, **changes: object) -> KeptModel:
    """A model with drawn weights, not on disk."""
    card = small_card(name, crop=crop, **changes)
    entry = backbone(name)
    cut = build(
        entry, draw(entry, 0), unfreeze_depth=1, classes=len(card.classes), dropout=0.0, seed=3
    )
    state = whole_state(entry, cut.prefix, cut.tail)
    with torch.no_grad():
        state[f"{entry.head_prefix}weight"].mul_(5)
    network = whole_network(entry, state, len(card.classes))
    return KeptModel(folder=Path("made-up"), card=card, network=network)


def write_small(folder: Path, name: str = "resnet18", **changes: object) -> KeptModel:
    """A model folder of such a model."""
    kept = small_model(name, **changes)  # type: ignore[arg-type]
    entry = backbone(name)
    stages, head = kept.network[:-1], kept.network[-1:]
    folder.mkdir(parents=True)
    sha = write_weights(whole_state(entry, stages, head), folder / WEIGHTS)
    write_card(kept.card.model_copy(update={"sha256": sha}), folder)
    return open_model(folder)
