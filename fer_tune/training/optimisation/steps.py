"""Training steps: from a batch to updated parameters."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_tune.features.memory import MemoryFit, parts
from fer_tune.features.source import FeatureSource
from fer_tune.training.device.compute import Compute
from fer_tune.training.optimisation.objective import Objective


class Steps(Protocol):
    """Trains the tail on one batch after the other."""

    def __call__(self, source: FeatureSource, places: NDArray[np.int64], truth: Tensor) -> Tensor:
        """One step of the optimiser.

        Args:
            places: rows of ``source``, (n,).
            truth: their classes, int64 (n,) on the device.

        Returns:
            Logits (n, classes) before the step, in float32 on the device.

        Raises:
            OutOfMemory: not even the smallest micro-batch fits.
        """
        ...


class EagerSteps:
    """Steps in micro-batches of whatever fits into memory, operation by operation."""

    def __init__(
        self,
        tail: nn.Module,
        optimiser: torch.optim.Optimizer,
        objective: Objective,
        compute: Compute,
        fit: MemoryFit,
    ) -> None:
        self.tail, self.optimiser, self.objective = tail, optimiser, objective
        self.compute, self.fit = compute, fit

    def __call__(self, source: FeatureSource, places: NDArray[np.int64], truth: Tensor) -> Tensor:
        logits: list[Tensor] = []

        def gradients(limit: int) -> None:
            self.optimiser.zero_grad(set_to_none=True)
            logits.clear()
            for part in parts(len(places), limit):
                features = source.rows(places[part])
                logits.append(self.backward(features, truth[part], len(places)))

        self.fit.run(gradients)
        self.optimiser.step()
        return torch.cat(logits)

    def backward(
        self, features: Tensor, truth: Tensor, count: int, *, cached: bool = True
    ) -> Tensor:
        """Adds gradients of the mean loss over ``count`` pictures; the logits of these here.

        Args:
            cached: let autocast keep converted weights until the end of the forward pass.
        """
        with self.compute.autocast(cached=cached):
            logits = self.tail(features)
        loss = self.objective.total(logits.float(), truth) / count
        loss.backward()  # type: ignore[no-untyped-call]
        found: Tensor = logits.detach().float()
        return found
