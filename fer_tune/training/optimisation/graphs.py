"""Training steps as CUDA graphs: recorded once per batch size, then replayed as one launch.

At small crops a step consists of a thousand short kernels, and the processor takes longer to launch
them than the GPU takes to run them. A graph needs fixed addresses: features and labels are copied
into tensors of its own, the learning rate is a tensor, and the optimiser keeps its counters on the
device. See PyTorch's notes "CUDA graphs".

Whatever a graph cannot do runs eagerly: the first steps of every batch size, which also prepare the
kernels, micro-batches, and everything after a recording has failed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_tune.features.source import FeatureSource
from fer_tune.training.optimisation.optimiser import use_rate_tensors
from fer_tune.training.optimisation.steps import EagerSteps

logger = logging.getLogger(__name__)

#: Eager steps of a batch size before it is recorded.
WARM_UP = 3

T = TypeVar("T")


class Recorder(Protocol):
    """Records work on the device; a fake one runs it on the CPU."""

    def warm_up(self, work: Callable[[], T]) -> T:
        """Runs ``work`` as it will be recorded."""
        ...

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Records ``work`` without running it; the result runs it.

        Raises:
            RuntimeError: it cannot be recorded.
        """
        ...


class CudaRecorder:
    """CUDA graphs that share one pool of memory."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], T]) -> T:
        # On a stream of its own, as PyTorch's notes ask: autograd remembers its stream.
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            result = work()
        torch.cuda.current_stream().wait_stream(side)
        return result

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        replay: Callable[[], None] = graph.replay
        return replay


class GraphedSteps:
    """Steps that are recorded once per batch size and replayed.

    An epoch has at most two batch sizes, which differ by one picture.
    """

    def __init__(self, eager: EagerSteps, recorder: Recorder) -> None:
        self._eager, self._recorder = eager, recorder
        self._recorded: dict[int, _Recorded] = {}
        self._steps: Counter[int] = Counter()
        self._works = True
        use_rate_tensors(eager.optimiser, eager.compute.device)

    def __call__(self, source: FeatureSource, places: NDArray[np.int64], truth: Tensor) -> Tensor:
        size = len(places)
        if not self._works or self._eager.fit.limit < size:
            return self._eager(source, places, truth)
        self._steps[size] += 1
        if self._steps[size] <= WARM_UP:
            return self._recorder.warm_up(lambda: self._eager(source, places, truth))
        features = source.rows(places)
        if size not in self._recorded:
            try:
                self._recorded[size] = _Recorded(self._eager, self._recorder, features, truth)
            except RuntimeError as error:
                self._works = False
                self._recorded.clear()
                logger.warning("training steps run without CUDA graphs: %s", _first_line(error))
                return self._eager(source, places, truth)
        return self._recorded[size].run(features, truth)


class _Recorded:
    """The step of one batch size, with the tensors that it reads and writes."""

    def __init__(
        self, eager: EagerSteps, recorder: Recorder, features: Tensor, truth: Tensor
    ) -> None:
        self._features, self._truth = torch.empty_like(features), torch.empty_like(truth)
        self._logits = torch.empty(0)
        # Gradients that are made while recording lie in the graph's memory, and are overwritten.
        eager.optimiser.zero_grad(set_to_none=True)

        def work() -> None:
            eager.optimiser.zero_grad(set_to_none=True)
            self._logits = eager.backward(self._features, self._truth, len(truth), cached=False)
            eager.optimiser.step()

        self._replay = recorder.record(work)

    def run(self, features: Tensor, truth: Tensor) -> Tensor:
        self._features.copy_(features)
        self._truth.copy_(truth)
        self._replay()
        return self._logits.clone()


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
