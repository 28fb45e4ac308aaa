"""Our steps against a loop that anyone would write with torchvision and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from fer_tune.models.registry import IMAGENET_MEAN, IMAGENET_STD, backbone
from fer_tune.models.whole import whole_state
from fer_tune.training.trial import TrialRun

STEPS, BATCH, RATE = 20, 32, 1e-4


class StockLoop:
    """torchvision's network, AdamW and cross entropy on whole pictures; frozen parts in eval."""

    def __init__(self, run: TrialRun) -> None:
        name, classes = run.config.backbone, run.classes
        network: nn.Module = models.get_model(name, num_classes=classes)
        self.network = network.to(memory_format=torch.channels_last)
        self.network.load_state_dict(whole_state(backbone(name), run.prefix, run.tail))
        self.network.requires_grad_(False).eval()
        for module in self._trained(name, run.config.unfreeze_depth):
            module.requires_grad_(True).train()
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, RATE, weight_decay=0.0)

    def _trained(self, name: str, depth: int) -> list[nn.Module]:
        if name.startswith("densenet"):
            parts = ["features.denseblock4", "features.norm5", "classifier"]
            deeper = ["features.transition3", "features.denseblock3"]
        else:
            parts, deeper = ["layer4", "fc"], ["layer3"]
        names = {0: parts[-1:], 1: parts, 2: parts + deeper}[depth]
        return [self.network.get_submodule(one) for one in names]

    def __call__(self, pictures: Tensor, truth: Tensor) -> float:
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        self.optimiser.zero_grad()
        pictures = ((pictures / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
        loss = functional.cross_entropy(self.network(pictures), truth)
        loss.backward()
        self.optimiser.step()
        return loss.item()


@pytest.mark.parametrize(("name", "depth"), [("resnet18", 0), ("resnet18", 2), ("densenet121", 1)])
def test_twenty_steps_lose_what_a_stock_loop_loses(make: Any, name: str, depth: int) -> None:
    rates = {"lr_head": RATE, "lr_backbone": RATE, "weight_decay": 0.0}
    run = make({"backbone": name, "unfreeze_depth": depth, "batch_size": BATCH, **rates}, bank=None)
    stock = StockLoop(run)
    source = run.features.train.view(0)
    run.tail.train()
    order = np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(STEPS):
        places = order.choice(len(source), BATCH, replace=False)
        truth = torch.from_numpy(run.train_labels[places])
        ours.append(functional.cross_entropy(run.steps(source, places, truth), truth).item())
        pictures = run.pictures(run.split.train[places], 0)
        theirs.append(stock(pictures.expand(-1, 3, -1, -1).float(), truth))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    assert ours[-1] < ours[0], "the steps trained something"
