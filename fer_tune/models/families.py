"""Families of torchvision's networks, and how each is divided into five stages, stem first.

A stage is the unit of ``unfreeze_depth``: depth *d* trains the last *d* of them and the head.

    ========  =================================  ==========================
    stage     DenseNet                           ResNet
    ========  =================================  ==========================
    stem      conv0 norm0 relu0 pool0            conv1 bn1 relu maxpool
    stage1    denseblock1 transition1            layer1
    stage2    denseblock2 transition2            layer2
    stage3    denseblock3 transition3            layer3
    stage4    denseblock4 norm5 (and its relu)   layer4
    ========  =================================  ==========================

A transition thus stays frozen when the cut falls before the block that it feeds: depth 1 trains
denseblock4 and norm5, and transition3 belongs to the prefix.

A further family is one function and one line here, if its networks have batch norm, pool the last
stage's maps before one linear layer with nothing but dropout between, and can be built on PyTorch's
meta device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from fer_tune.models.dense_block import DenseBlock
from fer_tune.models.torchvision_import import models as tv


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the networks of one torchvision class have in common.

    Attributes:
        network: the class.
        head: name of the classifier's linear layer in it.
        stages: gives the five stages of a network, sharing its modules, without the classifier.
        drawn: arguments of torchvision's builder, for networks whose weights are drawn.
    """

    network: type[nn.Module]
    head: str
    stages: Callable[[Any], list[nn.Sequential]]
    drawn: Mapping[str, object] = field(default_factory=dict)


def _densenet_stages(model: tv.DenseNet) -> list[nn.Sequential]:
    part: dict[str, nn.Module] = {
        name: DenseBlock(module.named_children()) if name.startswith("denseblock") else module
        for name, module in model.features.named_children()
    }
    # torchvision applies the last relu in forward(), outside ``features``.
    return [
        nn.Sequential(*(part[n] for n in ("conv0", "norm0", "relu0", "pool0"))),
        nn.Sequential(part["denseblock1"], part["transition1"]),
        nn.Sequential(part["denseblock2"], part["transition2"]),
        nn.Sequential(part["denseblock3"], part["transition3"]),
        nn.Sequential(part["denseblock4"], part["norm5"], nn.ReLU(inplace=True)),
    ]


def _resnet_stages(model: tv.ResNet) -> list[nn.Sequential]:
    return [
        nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool),
        *(nn.Sequential(layer) for layer in (model.layer1, model.layer2, model.layer3)),
        nn.Sequential(model.layer4),
    ]


FAMILIES = (
    Family(network=tv.DenseNet, head="classifier", stages=_densenet_stages),
    # A drawn ResNet starts with every residual branch switched off (Goyal et al. 2017, "Accurate,
    # Large Minibatch SGD", section 5.1): without it 152 layers learn nothing in the few epochs
    # that a search gives them. Pretrained weights overwrite this.
    Family(
        network=tv.ResNet,
        head="fc",
        stages=_resnet_stages,
        drawn={"zero_init_residual": True},
    ),
)


def family_of(model: nn.Module) -> Family:
    """The family of a torchvision network that this module knows."""
    return next(family for family in FAMILIES if isinstance(model, family.network))
