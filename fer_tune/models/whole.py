"""Whole networks: the tensors of prefix, tail and head by torchvision's names, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fer_tune.models.network import Head, Normalise, build, frozen_stages
from fer_tune.models.registry import STAGES, Backbone


def whole_state(
    backbone: Backbone,
    prefix: nn.Sequential,
    tail: nn.Sequential,
    initial: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Every tensor of a cut network, by the names that torchvision gives them.

    torchvision's model of that name, made with ``num_classes``, loads them. Copies on the CPU.

    Args:
        initial: the backbone's tensors in float32, where the prefix has rounded ones; by default
            the prefix's own.
    """
    parts = [part for part in (*prefix, *tail) if not isinstance(part, Normalise)]
    model = backbone.empty_module()
    names = {id(t): n for n, t in (*model.named_parameters(), *model.named_buffers())}
    state: dict[str, Tensor] = {}
    frozen = set(prefix)
    for named, trained in zip(backbone.stages(model), parts[: len(STAGES)], strict=True):
        named_here = named.state_dict(keep_vars=True)
        for key, tensor in trained.state_dict().items():
            name = names[id(named_here[key])]
            exact = initial.get(name) if initial and trained in frozen else None
            state[name] = _copied(tensor if exact is None else exact)
    head = parts[-1]
    assert isinstance(head, Head)
    state[f"{backbone.head_prefix}weight"] = _copied(head.linear.weight)
    state[f"{backbone.head_prefix}bias"] = _copied(head.linear.bias)
    return state


def whole_network(backbone: Backbone, state: Mapping[str, Tensor], classes: int) -> nn.Sequential:
    """A network from uint8 pictures (n, 1 or 3, h, w) to logits (n, classes), in eval mode.

    Args:
        state: as :func:`whole_state` gives it, with a head of ``classes`` outputs.
    """
    below = {n: t for n, t in state.items() if not n.startswith(backbone.head_prefix)}
    # In the layout of training, so that the kernels are the same and so are the last bits.
    stages = frozen_stages(backbone, below, torch.float32, torch.device("cpu"))
    cut = build(
        backbone, below, unfreeze_depth=0, classes=classes, dropout=0.0, seed=0, frozen=stages
    )
    network = nn.Sequential(*cut.prefix, *cut.tail)
    head = network[-1]
    assert isinstance(head, Head)
    with torch.no_grad():
        head.linear.weight.copy_(state[f"{backbone.head_prefix}weight"])
        head.linear.bias.copy_(state[f"{backbone.head_prefix}bias"])
    return network.eval().requires_grad_(False)


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
