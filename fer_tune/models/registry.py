"""The backbones that can be searched: networks of torchvision, by name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from fer_tune.errors import WeightsError
from fer_tune.models.convolution import use_trained_convolutions
from fer_tune.models.families import Family, family_of
from fer_tune.models.torchvision_import import models as tv
from fer_tune.space.backbones import BACKBONES

#: Stages counted from the picture; ``unfreeze_depth`` counts from the other end. What they are of
#: each family: see :mod:`fer_tune.models.families`.
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
        family: says how the model is divided.
        features: width of the pooled features that reach the head.
        head_prefix: how the names of the original classifier's tensors begin.
        recipes: pretrained recipes this backbone has, as torchvision weight members.
    """

    name: str
    family: Family
    features: int
    head_prefix: str
    recipes: Mapping[str, tv.WeightsEnum]

    def module(self) -> nn.Module:
        """The whole torchvision model with freshly drawn weights (global generator)."""
        model = tv.get_model(self.name, weights=None, **self.family.drawn)
        assert isinstance(model, nn.Module)
        return model

    def empty_module(self) -> nn.Module:
        """The whole torchvision model on PyTorch's meta device, without values.

        A copy: torchvision takes a third of a second to build one of 160 layers.
        """
        return copy.deepcopy(_template(self.name))

    def stages(self, model: nn.Module) -> list[nn.Sequential]:
        """The five stages of ``model``, sharing its modules; the classifier is left out."""
        assert isinstance(model, self.family.network)
        return self.family.stages(model)

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


class _NothingDrawn(TorchFunctionMode):
    """Leaves tensors as they are that would be drawn anew."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        arguments: tuple[Any, ...] = (),
        keywords: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is torch.Tensor.normal_:
            return arguments[0]
        return function(*arguments, **(keywords or {}))


@contextmanager
def without_values() -> Iterator[None]:
    """Networks that are built inside are on PyTorch's meta device.

    To draw a tensor without values, PyTorch would import its compiler, which takes as long as to
    import PyTorch itself.
    """
    with torch.device("meta"), _NothingDrawn():
        yield


@cache
def _template(name: str) -> nn.Module:
    with without_values():
        model = backbone(name).module()
    use_trained_convolutions(model)
    return model


@cache
def backbone(name: str) -> Backbone:
    """The registry's entry ``name``, one of ``fer_tune.space.backbones.BACKBONES``."""
    assert name in BACKBONES, f"no backbone {name}"
    enum = tv.get_model_weights(name)
    recipes = {r: enum[member] for r, member in _RECIPES.items() if member in enum.__members__}
    with without_values():
        model = tv.get_model(name, weights=None)
    family = family_of(model)
    head = model.get_submodule(family.head)
    assert isinstance(head, nn.Linear)
    return Backbone(
        name=name,
        family=family,
        features=head.in_features,
        head_prefix=f"{family.head}.",
        recipes=recipes,
    )
