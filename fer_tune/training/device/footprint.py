"""How much accelerator memory a configuration needs, without an accelerator.

A training step and a chunk of prefix features run on PyTorch's meta device, which knows shapes and
computes nothing, while every storage that is allocated and freed is counted. bfloat16 autocast is
modelled by a tail with bfloat16 parameters: they represent the copies that autocast makes.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fer_tune.features.source import CHUNK
from fer_tune.models.network import build
from fer_tune.models.registry import STAGES, backbone, without_values

_FLOAT32 = 4  # bytes
#: Tensors of a parameter's size that an optimiser keeps.
_STATES = {"adamw": 2, "sgd": 1}


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes on the accelerator while one configuration is trained.

    Attributes:
        weights: parameters and buffers of prefix and tail.
        gradients: of the tail's parameters.
        optimiser: what it keeps for each of them.
        activations: what the backward pass of a whole batch needs of the forward pass.
        working: tensors beside these at the worst moment of a step.
        prefix: the worst moment of a chunk of prefix features; no step runs then.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int
    working: int
    prefix: int

    @property
    def step(self) -> int:
        return self.gradients + self.activations + self.working

    @property
    def total(self) -> int:
        """Of live tensors; the allocator's rounding and the driver's own memory come on top."""
        return self.weights + self.optimiser + max(self.step, self.gradients + self.prefix)


@cache
def footprint(
    name: str,
    *,
    unfreeze_depth: int,
    crop_size: int,
    batch_size: int,
    optimizer: str = "adamw",
    classes: int = 8,
    dtype: torch.dtype = torch.float32,
) -> Footprint:
    """The estimate for backbone ``name``.

    Args:
        dtype: of autocast; float32 for none.
    """
    entry = backbone(name)
    with without_values():
        state = entry.module().state_dict()
    own = {key: tensor for key, tensor in state.items() if not key.startswith(entry.head_prefix)}
    network = build(entry, own, unfreeze_depth=unfreeze_depth, classes=classes, dropout=0.5, seed=0)
    prefix, tail = network.prefix.to("meta"), network.tail.to("meta")
    trained = sum(parameter.numel() for parameter in tail.parameters())
    weights = sum(_bytes(tensor) for part in (prefix, tail) for tensor in _tensors(part))

    row, prefix_peak = _prefix_chunk(prefix.to(dtype), crop_size, dtype)
    untouched = unfreeze_depth == len(STAGES)
    if untouched:
        tail = tail[1:]  # normalisation gives float32, which autocast then copies
        row = torch.empty(1, 3, crop_size, crop_size, dtype=dtype, device="meta")
    features = torch.empty(batch_size, *row.shape[1:], dtype=dtype, device="meta")
    saved, peak = training_step(tail.to(dtype), features)
    # At the end of the step all gradients are there, in autocast's format and then in float32.
    gradients = trained * _FLOAT32
    copies = 0 if dtype == torch.float32 else trained * dtype.itemsize
    return Footprint(
        weights=weights,
        gradients=gradients,
        optimiser=trained * _FLOAT32 * _STATES[optimizer],
        activations=saved + _bytes(features),
        working=max(0, peak - saved) + copies,
        prefix=prefix_peak,
    )


def training_step(tail: nn.Module, features: Tensor) -> tuple[int, int]:
    """Bytes that autograd saves, and most bytes alive beside ``features`` and parameters.

    Runs a forward and a backward pass, on whatever device the two are.
    """
    tail.train()
    kept = {id_of(tensor) for tensor in (features, *_tensors(tail))}
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if (key := id_of(tensor)) not in kept:
            saved[key] = tensor.untyped_storage().nbytes()
        return tensor

    with counting() as live:
        with saved_tensors_hooks(note, lambda tensor: tensor):
            logits = tail(features)
        total = sum(saved.values())
        logits.float().sum().backward()
    for parameter in tail.parameters():
        parameter.grad = None
    return total, live.peak


def _prefix_chunk(prefix: nn.Module, crop: int, dtype: torch.dtype) -> tuple[Tensor, int]:
    """One chunk of features, and the most bytes alive while they are made."""
    # Accelerators begin with larger chunks, which are halved where they do not fit.
    pictures = torch.empty(CHUNK, 3, crop, crop, dtype=torch.uint8, device="meta")
    with torch.no_grad(), counting() as live:
        features: Tensor = pictures
        for part in prefix.children():
            features = part(features)
            # Normalisation gives float32, which the first convolution wants in its own format.
            features = features.to(dtype)
    return features, live.peak


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages made while it is active, and those of them that are alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {id_of(one) for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and id_of(tensor) not in known:
                self._made(tensor.untyped_storage())
        return result

    def _made(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known[key] = size
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self._now -= self._known.pop(key)


@contextmanager
def counting() -> Iterator[_Live]:
    with _Live() as live:
        yield live


def id_of(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _bytes(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes()
