"""Test-time augmentation: the mean of the probabilities of several crops of a picture.

``flip``      the centre crop and its mirror image
``ten-crop``  the four corners and the centre, each also mirrored (Krizhevsky et al. 2012, "ImageNet
              classification with deep convolutional neural networks", section 4.1)

Pictures are resized as in training, so the centre crop is the evaluation view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from fer_tune.data.pixels import Pixels
from fer_tune.errors import UserError
from fer_tune.models.card import Preprocessing
from fer_tune.serving.predictor import evaluation_view

TestTime = Literal["none", "flip", "ten-crop"]


def check_room(kind: TestTime, prepared: Preprocessing) -> None:
    """Raises UserError if a picture is resized to the crop itself, so that all crops are one."""
    if kind == "ten-crop" and prepared.resized_side == prepared.crop_size:
        raise UserError(
            f"pictures are resized to {prepared.resized_side} pixels, which is the crop size: "
            "there is no room for other crops than the centre",
            where="--tta",
            value=kind,
            remedy="Use --tta flip",
        )


def crops(
    kind: TestTime, pixels: Sequence[Pixels], prepared: Preprocessing, *, device: str = "cpu"
) -> list[Tensor]:
    """The network's inputs, one per crop, each uint8 (n, c, crop, crop).

    Args:
        pixels: decoded pictures, each uint8 (h, w, 1) or (h, w, 3); at least one.
    """
    check_room(kind, prepared)
    if kind == "none":
        return [evaluation_view(pixels, prepared, device=device)]
    side, crop = prepared.resized_side, prepared.crop_size
    # With the whole resized picture as crop, the evaluation view is that picture.
    whole = prepared.model_copy(update={"crop_size": side, "resize_ratio": 1.0})
    resized = evaluation_view(pixels, whole, device=device)
    centre, far = (side - crop) // 2, side - crop
    corners = [(0, 0), (0, far), (far, 0), (far, far)] if kind == "ten-crop" else []
    found = [
        resized[:, :, top : top + crop, left : left + crop]
        for top, left in [(centre, centre), *corners]
    ]
    return [*found, *(torch.flip(one, dims=[3]) for one in found)]
