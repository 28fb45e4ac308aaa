"""A backbone cut in two: the frozen prefix below, the trained tail with the head above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fer_tune.models.registry import IMAGENET_MEAN, IMAGENET_STD, STAGES, Backbone


class Normalise(nn.Module):
    """uint8 pictures (n, 1 or 3, h, w) to floats (n, 3, h, w) with ImageNet's statistics.

    Grey becomes three equal channels before the statistics apply, as the weights expect.

    Args:
        dtype: of the result; the arithmetic is that of float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(shape), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        scaled = (pictures.float() / 255.0 - self.mean) / self.std
        return scaled.to(self.dtype).contiguous(memory_format=torch.channels_last)


class Head(nn.Module):
    """Dropout and one linear layer over pooled features (n, f) to logits (n, classes)."""

    def __init__(self, features: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.dropout(features))
        return logits


@dataclass(frozen=True, kw_only=True)
class CutNetwork:
    """A network at one unfreeze depth.

    Attributes:
        prefix: from uint8 pictures to the input of the tail; eval mode, no gradients. At depth 5
            it is the identity and normalisation belongs to the tail.
        tail: trained stages, pooling (if any stage is trained) and the head.
        depth: the unfreeze depth, 0 to 5.
    """

    prefix: nn.Sequential
    tail: nn.Sequential
    depth: int

    def head_parameters(self) -> list[nn.Parameter]:
        return list(self.tail[-1].parameters())

    def backbone_parameters(self) -> list[nn.Parameter]:
        """Trained parameters below the head; empty at depth 0."""
        return [p for part in list(self.tail)[:-1] for p in part.parameters()]


def build(
    backbone: Backbone,
    state: dict[str, Tensor],
    *,
    unfreeze_depth: int,
    classes: int,
    dropout: float,
    seed: int,
    frozen: list[nn.Sequential] | None = None,
    dtype: torch.dtype = torch.float32,
) -> CutNetwork:
    """Cuts ``backbone`` with tensors ``state`` at ``unfreeze_depth``; the head is drawn anew.

    The prefix consists of stages of ``frozen`` (nothing writes to them); the tail gets copies of
    the tensors of ``state``.

    Args:
        state: of the backbone without classifier, as :func:`read_state` gives it.
        seed: of the head's initial weights.
        frozen: all stages of the backbone as :func:`frozen_stages` gives them, which many networks
            share; by default stages of its own, which share their tensors with ``state``.
        dtype: that the prefix computes in, and that of ``frozen``.
    """
    assert 0 <= unfreeze_depth <= len(STAGES), unfreeze_depth
    cut = len(STAGES) - unfreeze_depth
    if frozen is None or unfreeze_depth:
        model = backbone.empty_module()
        _adopt(model, backbone, state)
        stages = backbone.stages(model)
        trained = stages[cut:]
    else:
        stages, trained = [], []
    frozen = (stages if frozen is None else frozen)[:cut]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(backbone.features, classes, dropout)

    has_prefix = unfreeze_depth < len(STAGES)
    below: list[nn.Module] = [Normalise(dtype), *frozen] if has_prefix else []
    above: list[nn.Module] = [] if has_prefix else [Normalise()]
    if unfreeze_depth == 0:
        below.append(pool)
    else:
        above += [*trained, pool]
    prefix = nn.Sequential(*below).eval().requires_grad_(False)
    tail = nn.Sequential(*above, head)
    for part in trained:
        _own(part)
    return CutNetwork(prefix=prefix, tail=tail, depth=unfreeze_depth)


def _adopt(model: nn.Module, backbone: Backbone, state: dict[str, Tensor]) -> None:
    fitting = dict(state)
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            fitting.setdefault(name, torch.zeros_like(tensor, device="cpu"))
    left = model.load_state_dict(fitting, strict=False, assign=True)
    stray = [n for n in left.missing_keys if not n.startswith(backbone.head_prefix)]
    assert not stray and not left.unexpected_keys, (stray, left.unexpected_keys)


def frozen_stages(
    backbone: Backbone, state: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device
) -> list[nn.Sequential]:
    """The stages of ``backbone`` as frozen prefixes compute with them; any number may share them.

    Convolutions are in ``dtype``, their kernels channels last. Batch norm stays in float32, as
    under autocast: its statistics would lose most of their digits.

    Args:
        state: of the backbone without classifier.
    """
    model = backbone.empty_module()
    biases = {f"{n}.bias" for n, part in model.named_modules() if isinstance(part, nn.Conv2d)}

    def converted(name: str, tensor: Tensor) -> Tensor:
        if tensor.dim() == 4:
            return tensor.to(device, dtype, memory_format=torch.channels_last)
        return tensor.to(device, dtype) if name in biases else tensor.to(device)

    _adopt(model, backbone, {name: converted(name, tensor) for name, tensor in state.items()})
    return [stage.eval().requires_grad_(False) for stage in backbone.stages(model)]


def _own(stage: nn.Module) -> None:
    """Gives a trained stage tensors of its own, so that training cannot reach the shared ones."""
    for module in stage.modules():
        for name, parameter in module.named_parameters(recurse=False):
            memory = torch.channels_last if parameter.dim() == 4 else torch.preserve_format
            own = parameter.detach().clone(memory_format=memory)
            setattr(module, name, nn.Parameter(own))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.clone())
