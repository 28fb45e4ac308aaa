"""The exported function: pictures to logits and calibrated probabilities.

The input is uint8 in both variants; normalisation is always part of the graph.

    =========  ========================  =============================================
    variant    input                     what the caller does
    =========  ========================  =============================================
    outside    (n, c, crop, crop)        resize and centre crop, as in training
    inside     (n, c, h, w), any h, w    reduce pictures larger than ``max_side`` pixels
    =========  ========================  =============================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from fer_tune.models.kept import KeptModel

Variant = Literal["outside", "inside"]

Resize = Callable[[Tensor, int], Tensor]


class Exported(nn.Module):
    """From uint8 pictures to logits (n, classes) and calibrated probabilities (n, classes).

    Args:
        resize: of float pictures (n, c, h, w) to a square; None for the variant ``outside``.
    """

    temperature: Tensor

    def __init__(self, kept: KeptModel, resize: Resize | None) -> None:
        super().__init__()
        self.network = kept.network
        self.prepared = kept.card.preprocessing
        self.resize = resize
        self.register_buffer("temperature", torch.tensor(kept.card.temperature))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        seen = pictures if self.resize is None else self._cropped(pictures, self.resize)
        logits = self.network(seen)
        return logits, (logits / self.temperature).softmax(dim=1)

    def _cropped(self, pictures: Tensor, resize: Resize) -> Tensor:
        """The evaluation view of :func:`fer_tune.data.views.view_pictures`."""
        crop, side = self.prepared.crop_size, self.prepared.resized_side
        edge = (side - crop) // 2
        resized = resize(pictures.float(), side)
        return resized[:, :, edge : edge + crop, edge : edge + crop].round().clamp(0, 255)


def resized_by_torch(pictures: Tensor, side: int) -> Tensor:
    """Float pictures (n, c, h, w) to (n, c, side, side), by the function that training uses."""
    return functional.interpolate(
        pictures, (side, side), mode="bilinear", antialias=True, align_corners=False
    )


def resized_by_products(pictures: Tensor, side: int) -> Tensor:
    """The same as two matrix products, for ONNX.

    ONNX's ``Resize`` with ``antialias`` weighs pixels at the border differently, by up to 18 grey
    levels in onnxruntime 1.32; products agree with PyTorch to 0.0002 everywhere.
    """
    rows = _weights(pictures.shape[2], side)
    columns = _weights(pictures.shape[3], side)
    # PyTorch does the columns first, too: fewer results that lie between two integers differ.
    return rows @ (pictures @ columns.T)


def _weights(size: int, side: int) -> Tensor:
    """Weights (side, size) of the antialiased triangle filter, each row with sum 1.

    Pixel j of the original is at j + 1/2, pixel i of the result at (i + 1/2) size / side; the
    triangle's half width is size / side, and 1 for an enlargement.
    """
    scale = torch.scalar_tensor(size) / side
    centres = (torch.arange(side) + 0.5) * scale
    distances = (torch.arange(size) + 0.5 - centres[:, None]).abs()
    weights = (1 - distances / scale.clamp(min=1)).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)
