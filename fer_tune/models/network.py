"""A backbone cut in two: the frozen prefix below, the trained tail with the head above."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fer_tune.models.registry import IMAGENET_MEAN, IMAGENET_STD, STAGES, Backbone


class Normalise(nn.Module):
    """uint8 pictures (n, 1 or 3, h, w) to floats (n, 3, h, w) with ImageNet's statistics.

    Grey becomes three equal channels before the statistics apply, as the weights expect.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(shape), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        scaled = (pictures.float() / 255.0 - self.mean) / self.std
        return scaled.contiguous(memory_format=torch.channels_last)


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
        prefix: uint8 pictures in, what the tail eats out; eval mode, no gradients. At depth 5
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
) -> CutNetwork:
    """Cuts ``backbone`` with tensors ``state`` at ``unfreeze_depth``; the head is drawn anew.

    The prefix shares its tensors with ``state`` (nobody writes to them); the tail gets copies.

    Args:
        state: of the backbone without classifier, as :func:`read_state` gives it.
        seed: of the head's initial weights.
    """
    assert 0 <= unfreeze_depth <= len(STAGES), unfreeze_depth
    with torch.device("meta"):
        model = backbone.module()
    _adopt(model, backbone, state)
    stages = backbone.stages(model)
    cut = len(stages) - unfreeze_depth
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(backbone.features, classes, dropout)

    below: list[nn.Module] = [Normalise(), *stages[:cut]] if unfreeze_depth < len(stages) else []
    above: list[nn.Module] = [] if unfreeze_depth < len(stages) else [Normalise()]
    if unfreeze_depth == 0:
        below.append(pool)
    else:
        above += [*stages[cut:], pool]
    prefix = nn.Sequential(*below).eval().requires_grad_(False)
    tail = nn.Sequential(*above, head)
    for part in stages[cut:]:
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


def _own(stage: nn.Module) -> None:
    """Gives a trained stage tensors of its own, so that training cannot reach the shared ones."""
    for module in stage.modules():
        for name, parameter in module.named_parameters(recurse=False):
            memory = torch.channels_last if parameter.dim() == 4 else torch.preserve_format
            own = parameter.detach().clone(memory_format=memory)
            setattr(module, name, nn.Parameter(own))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.clone())
