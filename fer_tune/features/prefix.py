"""A frozen prefix as a chain of modules with cuts: features of several depths in one pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from fer_tune.features.decision import CutSize


@dataclass(frozen=True, kw_only=True)
class FrozenPrefix:
    """A prefix that computes wholly in one dtype, so that it may be entered at any cut.

    Features are the same bits whether a pass begins at pixels or at the features of a deeper cut:
    both give the next module the same values in the same layout.

    Attributes:
        modules: from uint8 pictures (n, c, crop, crop) to features; frozen, in eval mode. The
            first module after a cut does not work in place.
        depth: the unfreeze depth of its own cut.
        cuts: by unfreeze depth, how many of the modules come before the cut; its own included.
        dtype: of its features; uint8 if there are no modules.
    """

    modules: nn.Sequential
    depth: int
    cuts: Mapping[int, int]
    dtype: torch.dtype

    @torch.no_grad()
    def run(
        self, features: Tensor, depths: Collection[int], start: int | None = None
    ) -> dict[int, Tensor]:
        """Features at the cuts ``depths``, channels last.

        Args:
            features: pictures, or features of the cut ``start`` in the layout of this method.
        """
        begin = 0 if start is None else self.cuts[start]
        wanted = {self.cuts[depth]: depth for depth in depths}
        found = {wanted[begin]: in_layout(features)} if begin in wanted else {}
        with torch.autocast(features.device.type, enabled=False):
            for number, module in enumerate(self.modules[begin:], begin + 1):
                features = module(features)
                if number in self._edges:
                    features = in_layout(features)
                if number in wanted:
                    found[wanted[number]] = features
        return found

    @cached_property
    def _edges(self) -> frozenset[int]:
        return frozenset(self.cuts.values())

    def sizes(self, pictures: Tensor) -> tuple[dict[int, tuple[int, ...]], dict[int, CutSize]]:
        """Shapes of rows as the bank stores them, and costs of a picture, by depth.

        Args:
            pictures: a few; their content does not matter.
        """
        operations = 0

        def count(module: nn.Module, _: object, out: Tensor) -> None:
            nonlocal operations
            assert isinstance(module, nn.Conv2d)
            operations += 2 * out[0].numel() * module.weight[0].numel()

        hooks = [
            module.register_forward_hook(count)
            for module in self.modules.modules()
            if isinstance(module, nn.Conv2d)
        ]
        shapes: dict[int, tuple[int, ...]] = {}
        costs: dict[int, CutSize] = {}
        start, features = None, pictures
        try:
            for depth in sorted(self.cuts, reverse=True):
                features = self.run(features, [depth], start)[depth]
                start = depth
                shapes[depth] = tuple(stored_layout(features).shape[1:])
                row_bytes = features[0].numel() * features.element_size()
                costs[depth] = CutSize(row_bytes=row_bytes, operations=operations)
        finally:
            for hook in hooks:
                hook.remove()
        return shapes, costs


def in_layout(features: Tensor) -> Tensor:
    """Channels last also in the strides of dimensions of size 1, by which kernels are chosen."""
    if features.dim() != 4:
        return features.contiguous()
    _, channels, height, width = features.shape
    if features.stride() == (channels * height * width, 1, channels * width, channels):
        return features
    return torch.empty_like(features, memory_format=torch.channels_last).copy_(features)


def stored_layout(features: Tensor) -> Tensor:
    """Features as an entry's rows: height, width, channels."""
    return features.permute(0, 2, 3, 1) if features.dim() == 4 else features


def from_stored(rows: Tensor) -> Tensor:
    """The inverse of :func:`stored_layout`."""
    return rows.permute(0, 3, 1, 2) if rows.dim() == 4 else rows
