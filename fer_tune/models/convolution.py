"""Convolutions whose training on a CPU is a product of matrices."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

#: A 3 × 3 kernel is faster as one product over gathered columns on maps of at most so many pixels,
#: if it has at least so many pairs of channels; otherwise gathering takes longer than it saves.
_PIXELS, _PAIRS = 16, 256 * 256


class TrainedConv2d(nn.Conv2d):
    """A convolution that computes as a product of matrices while it is trained on a CPU.

    oneDNN's backward pass is slow for 1 × 1 kernels and for maps of few pixels, which the deep
    stages have at small crops: the product takes 0.1 to 0.9 of its time. Without gradients, on
    other devices and for other kernels this is torch's convolution. The two differ in rounding.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Maps (n, c, h, w) to (n, c', h', w'), as ``nn.Conv2d``."""
        trained = torch.is_grad_enabled() and self.weight.requires_grad
        is_batch = features.device.type == "cpu" and features.dim() == 4
        if trained and is_batch and self._is_plain:
            if self.kernel_size == (1, 1) and self.padding == (0, 0):
                return self._pointwise(features)
            if self.kernel_size == (3, 3) and self.padding == (1, 1):
                if features.shape[-2:] == (1, 1):
                    return _product(features, self.weight[:, :, 1, 1])
                if self._is_wide and self._pixels(features) <= _PIXELS:
                    return self._columns(features)
        return super().forward(features)

    @property
    def _is_plain(self) -> bool:
        dense = self.groups == 1 and self.dilation == (1, 1) and self.bias is None
        return dense and self.padding_mode == "zeros"

    @property
    def _is_wide(self) -> bool:
        return self.in_channels * self.out_channels >= _PAIRS

    def _pixels(self, features: Tensor) -> int:
        """Of the output."""
        height, width = features.shape[-2:]
        return (1 + (height - 1) // self.stride[0]) * (1 + (width - 1) // self.stride[1])

    def _pointwise(self, features: Tensor) -> Tensor:
        rows, columns = self.stride
        return _product(features[:, :, ::rows, ::columns], self.weight.flatten(1))

    def _columns(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        # In float32, as the backward pass adds the gradients of up to nine windows to a pixel.
        last = features.float().permute(0, 2, 3, 1)
        padded = functional.pad(last, (0, 0, 1, 1, 1, 1)).flatten(1, 2)
        windows, shape = _windows(height, width, self.stride)
        # Not ``unfold``, whose backward pass takes longer than the products.
        columns = padded.index_select(1, windows)
        columns = columns.view(len(features), *shape, 9 * self.in_channels)
        kernel = self.weight.permute(0, 2, 3, 1).flatten(1)
        return functional.linear(columns, kernel).permute(0, 3, 1, 2)


@cache
def _windows(height: int, width: int, stride: tuple[int, ...]) -> tuple[Tensor, tuple[int, int]]:
    """Pixels of a padded map that a 3 × 3 kernel sees, row by row, and the shape of its output.

    Returns:
        int64 (height' · width' · 9,) places in the flattened padded map; (height', width').
    """
    places = torch.arange((height + 2) * (width + 2)).view(height + 2, width + 2)
    seen = places.unfold(0, 3, stride[0]).unfold(1, 3, stride[1])
    return seen.flatten(), (seen.shape[0], seen.shape[1])


def _product(features: Tensor, kernel: Tensor) -> Tensor:
    """Maps (n, c, h, w) times a kernel (c', c) at every pixel; channels last."""
    return functional.linear(features.permute(0, 2, 3, 1), kernel).permute(0, 3, 1, 2)


def use_trained_convolutions(model: nn.Module) -> None:
    """Makes every convolution of ``model`` a :class:`TrainedConv2d`; tensors and names stay."""
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = TrainedConv2d
