"""The backbones that can be searched: torchvision's DenseNet and ResNet families.

Every backbone is divided into five stages, stem first. A stage is the unit of ``unfreeze_depth``:
depth *d* trains the last *d* of them together with the head.

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
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from fer_tune.errors import WeightsError
from fer_tune.models.convolution import use_trained_convolutions
from fer_tune.models.dense_block import DenseBlock
from fer_tune.models.torchvision_import import models as tv
from fer_tune.space.backbones import BACKBONES

#: Stages counted from the picture; ``unfreeze_depth`` counts from the other end.
STAGES = ("stem", "stage1", "stage2", "stage3", "stage4")

#: Channel statistics of ImageNet, which all torchvision weights of these families expect.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_RECIPES = {"imagenet-v1": "IMAGENET1K_V1", "imagenet-v2": "IMAGENET1K_V2"}


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One entry of the registry.

    Attributes:
        name: torchvision's name of the model.
        features: width of the pooled features that reach the head.
        head_prefix: how the names of the original classifier's tensors begin.
        recipes: pretrained recipes this backbone has, as torchvision weight members.
    """

    name: str
    features: int
    head_prefix: str
    recipes: Mapping[str, tv.WeightsEnum]

    def module(self) -> nn.Module:
        """The whole torchvision model with freshly drawn weights (global generator).

        A drawn ResNet starts with every residual branch switched off (Goyal et al. 2017, "Accurate,
        Large Minibatch SGD", section 5.1): without it 152 layers learn nothing in the few epochs
        that a search gives them. Pretrained weights overwrite this.
        """
        extra = {"zero_init_residual": True} if self.name.startswith("resnet") else {}
        model = tv.get_model(self.name, weights=None, **extra)
        assert isinstance(model, nn.Module)
        return model

    def empty_module(self) -> nn.Module:
        """The whole torchvision model on PyTorch's meta device, without values.

        A copy: torchvision takes a third of a second to build one of 160 layers.
        """
        return copy.deepcopy(_template(self.name))

    def stages(self, model: nn.Module) -> list[nn.Sequential]:
        """The five stages of ``model``, sharing its modules; the classifier is left out."""
        return _densenet_stages(model) if isinstance(model, tv.DenseNet) else _resnet_stages(model)

    def recipe(self, name: str) -> tv.WeightsEnum:
        """The torchvision weights of recipe ``name``.

        Raises:
            WeightsError: this backbone has no such recipe.
        """
        if name not in self.recipes:
            raise WeightsError(
                f"{self.name} has no weights of that recipe",
                where="weights",
                value=name,
                remedy=f"Choose one of {', '.join(self.recipes)}, none, or a file",
            )
        return self.recipes[name]


def _densenet_stages(model: nn.Module) -> list[nn.Sequential]:
    assert isinstance(model, tv.DenseNet)
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


def _resnet_stages(model: nn.Module) -> list[nn.Sequential]:
    assert isinstance(model, tv.ResNet)
    return [
        nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool),
        *(nn.Sequential(layer) for layer in (model.layer1, model.layer2, model.layer3)),
        nn.Sequential(model.layer4),
    ]


@cache
def _template(name: str) -> nn.Module:
    with torch.device("meta"):
        model = backbone(name).module()
    use_trained_convolutions(model)
    return model


@cache
def backbone(name: str) -> Backbone:
    """The registry's entry ``name``, one of ``fer_tune.space.backbones.BACKBONES``."""
    assert name in BACKBONES, f"no backbone {name}"
    enum = tv.get_model_weights(name)
    recipes = {r: enum[member] for r, member in _RECIPES.items() if member in enum.__members__}
    with torch.device("meta"):
        model = tv.get_model(name, weights=None)
    head = model.classifier if isinstance(model, tv.DenseNet) else model.fc
    assert isinstance(head, nn.Linear)
    return Backbone(
        name=name,
        features=head.in_features,
        head_prefix="classifier." if isinstance(model, tv.DenseNet) else "fc.",
        recipes=recipes,
    )
