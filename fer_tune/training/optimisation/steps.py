"""Training steps: from a batch to updated parameters."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

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
        self._statistics = Statistics(tail)

    def __call__(self, source: FeatureSource, places: NDArray[np.int64], truth: Tensor) -> Tensor:
        logits: list[Tensor] = []
        attempts: list[int] = []
        self._statistics.save()

        def gradients(limit: int) -> None:
            self.optimiser.zero_grad(set_to_none=True)
            if attempts:
                self._statistics.restore()
            attempts.append(limit)
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


class Statistics:
    """The running statistics of a network's batch norms, as they were before a step.

    A forward pass updates them, also one that then runs out of memory: without this, the pictures
    of a step that is repeated in smaller parts would count twice.
    """

    def __init__(self, network: nn.Module) -> None:
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        self._now = [buffer for norm in norms for buffer in norm.buffers()]
        self._before = [torch.empty_like(buffer) for buffer in self._now]

    def save(self) -> None:
        """Remembers them; one operation for all, as a step of a large tail has hundreds."""
        if self._now:
            torch._foreach_copy_(self._before, self._now)

    def restore(self) -> None:
        """Sets them to what was saved."""
        if self._now:
            torch._foreach_copy_(self._now, self._before)
