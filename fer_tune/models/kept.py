"""A kept model on disk or at a URL: weights that cannot run code, and a card.

::

    FOLDER/model.safetensors  every tensor of the network, by torchvision's names
    FOLDER/card.json          the card, also as card.md; see fer_tune.models.card_file
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn

from fer_tune.errors import ModelError, WeightsError, reading
from fer_tune.models.card import Card
from fer_tune.models.card_file import CARD, RESTORE, WEIGHTS, check_weights, read_card
from fer_tune.models.registry import Backbone, backbone
from fer_tune.models.weights import check_fit
from fer_tune.models.whole import whole_network
from fer_tune.schema import TooLarge, read_at_most
from fer_tune.schema.limits import MODEL_BYTES
from fer_tune.space.backbones import BACKBONES
from fer_tune.storage import AnyPath


@dataclass(frozen=True, kw_only=True)
class KeptModel:
    """A model that is ready to use.

    Attributes:
        folder: where it was read from.
        network: from uint8 pictures (n, c, crop, crop) to logits (n, classes), in eval mode on the
            CPU, float32; normalisation is its first module.
    """

    folder: AnyPath
    card: Card
    network: nn.Sequential


def write_weights(state: dict[str, Tensor], file: Path) -> str:
    """Writes a network's tensors; returns the SHA-256 of the file.

    Raises:
        OSError: from the disk.
    """
    save_file(state, file, metadata={"format": "pt"})
    with file.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def open_model(folder: AnyPath) -> KeptModel:
    """Reads a kept model, after checking its checksum. Never runs code from a file.

    Raises:
        ModelError: not a model folder, damaged, of another schema, or a card that contradicts the
            weights.
    """
    card = read_card(folder)
    where = folder / WEIGHTS
    if card.backbone not in BACKBONES:
        raise ModelError(
            "the card names an unknown backbone", where=str(folder / CARD), value=card.backbone
        )
    with reading(where, ModelError):
        try:
            content = read_at_most(where, MODEL_BYTES)
        except FileNotFoundError:
            raise ModelError(f"no {WEIGHTS} here", where=str(folder), remedy=RESTORE) from None
        except TooLarge as error:
            raise ModelError(f"is {error}", where=str(where), remedy=RESTORE) from None
    check_weights(content, card, where)
    entry = backbone(card.backbone)
    state = _read_state(content, where)
    _check(state, entry, card, where)
    return KeptModel(
        folder=folder, card=card, network=whole_network(entry, state, len(card.classes))
    )


def _read_state(content: bytes, where: AnyPath) -> dict[str, Tensor]:
    try:
        return load(content)
    except Exception:
        # The checksum is right, so whoever wrote the card wrote this; the reader raises anything.
        raise ModelError("is not a safetensors file", where=str(where), remedy=RESTORE) from None


def _check(state: dict[str, Tensor], entry: Backbone, card: Card, where: AnyPath) -> None:
    """Raises ModelError if the tensors are not those of the card's network."""
    below = {n: t for n, t in state.items() if not n.startswith(entry.head_prefix)}
    head = {n.removeprefix(entry.head_prefix): t for n, t in state.items() if n not in below}
    try:
        check_fit(below, entry, str(where))
    except WeightsError as error:
        raise ModelError(f"contradicts {CARD}: {error.what}", where=str(where)) from None
    wanted = {"weight": (len(card.classes), entry.features), "bias": (len(card.classes),)}
    found = {name: tuple(tensor.shape) for name, tensor in head.items()}
    if found != wanted:
        raise ModelError(
            f"contradicts {CARD}: its head should have {wanted['weight']} weights, for "
            f"{len(card.classes)} classes",
            where=str(where),
            value=found,
        )
    for name, tensor in state.items():
        # The type first: torch.isfinite does not accept every type.
        kind = torch.int64 if name.endswith("num_batches_tracked") else torch.float32
        if tensor.dtype != kind:
            raise ModelError(
                f"tensor {name} is not {str(kind).removeprefix('torch.')}",
                where=str(where),
                value=str(tensor.dtype).removeprefix("torch."),
            )
        if not tensor.isfinite().all():
            raise ModelError(f"tensor {name} has values that are not finite", where=str(where))
