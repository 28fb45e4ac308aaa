"""Pictures that an export is checked, calibrated and scored with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.data import PackedDataset
from fer_tune.data.pixels import Pixels
from fer_tune.data.synthetic import generate
from fer_tune.models.card import Card, Preprocessing
from fer_tune.serving.evaluation import SplitName, labelled
from fer_tune.serving.export.graph import Variant
from fer_tune.serving.predictor import as_packed, evaluation_view

#: Pictures that an export is compared on.
CHECKED = 64
#: Training pictures that set the ranges of 8-bit integers.
CALIBRATED = 256

_SEED = 0


def search_pictures(
    dataset: PackedDataset, card: Card, split: SplitName, most: int
) -> list[Pixels]:
    """Decoded pictures of a split of the model's search; a sample of ``most``, if it has more.

    Raises:
        UserError: the dataset is another one.
    """
    positions = labelled(dataset, split, card).positions
    if len(positions) > most:
        generator = np.random.default_rng(_SEED)
        positions = np.sort(generator.choice(positions, most, replace=False))
    return decoded(dataset, positions)


def decoded(dataset: PackedDataset, positions: NDArray[np.int64]) -> list[Pixels]:
    """The pictures at ``positions`` (n,), each uint8 (h, w, c)."""
    return [dataset.picture(int(position)) for position in positions]


def made_pictures(prepared: Preprocessing, count: int = CHECKED) -> list[Pixels]:
    """Pictures to check an export with where there is no dataset: the same ones every time.

    Drawn faces, noise, gradients and plain ones, small and large, from black to white.
    """
    generator = np.random.default_rng(_SEED)
    faces = [pixels for pixels, _, _ in generate(count - count // 2, _SEED)]
    grey = [*faces, *(_pattern(number, generator) for number in range(count // 2))]
    if prepared.channels == 1:
        return grey
    tints = generator.uniform(0.6, 1.0, (len(grey), 3))
    return [np.round(one * tint).astype(np.uint8) for one, tint in zip(grey, tints, strict=True)]


def _pattern(number: int, generator: np.random.Generator) -> Pixels:
    """Noise, a gradient, or plain black or white, (h, w, 1), of a size of its own."""
    height, width = (int(side) for side in generator.integers(24, 200, 2))
    low, high = np.sort(generator.uniform(0, 255, 2))
    if number % 3 == 0:
        shape = generator.random((height, width))
    elif number % 3 == 1:
        rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        shape = (rows + columns) / 2
    else:
        low, high = 0, 255
        shape = np.full((height, width), number // 3 % 2)
    pixels: Pixels = np.round(low + (high - low) * shape).astype(np.uint8)[:, :, None]
    return pixels


def batches(
    pixels: Sequence[Pixels], prepared: Preprocessing, variant: Variant, size: int
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Inputs of an exported model, at most ``size`` pictures at once, each with their positions.

    Pictures of different sizes cannot be in one batch of the variant ``inside``.
    """
    if variant == "outside":
        groups = [np.arange(len(pixels))]
    else:
        shapes = [one.shape[:2] for one in pixels]
        groups = [
            np.array([place for place, other in enumerate(shapes) if other == shape])
            for shape in dict.fromkeys(shapes)
        ]
    for group in groups:
        for start in range(0, len(group), size):
            places = group[start : start + size]
            chosen = [pixels[place] for place in places]
            yield places, inputs_of(chosen, prepared, variant)


def inputs_of(pixels: Sequence[Pixels], prepared: Preprocessing, variant: Variant) -> Tensor:
    """Input uint8 (n, c, h, w) of an exported model; of ``inside``, all have one size."""
    if variant == "outside":
        return evaluation_view(pixels, prepared)
    packed = np.stack([as_packed(one, prepared) for one in pixels])
    return torch.from_numpy(packed).permute(0, 3, 1, 2).contiguous()
