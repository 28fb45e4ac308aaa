"""What a run does when memory runs out: smaller batches, and at last its end as ``oom``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fer_tune.features.memory import MemoryFit, OutOfMemory
from fer_tune.features.out_of_memory import is_out_of_memory
from fer_tune.training.device.compute import Compute
from fer_tune.training.learning_curve import LearningCurve
from fer_tune.training.optimisation.epoch import batches

#: Fewest pictures of which batch norm may take statistics when a batch is split. Its error grows
#: fast below that (Wu & He 2018, Group Normalization, figure 1): what would be trained is another
#: algorithm than the one that is compared.
LEAST_FOR_BATCH_NORM = 8


class RunMemory:
    """The memory of one run.

    Attributes:
        training: how many pictures of a batch are trained at once.
        evaluation: how many pictures the tail sees at once without gradients.
    """

    def __init__(
        self, curve: LearningCurve, compute: Compute, *, batch_size: int, chunk: int
    ) -> None:
        self._curve, self._compute = curve, compute
        self.training = MemoryFit(batch_size)
        self.evaluation = MemoryFit(chunk)

    def fit_batches(self, tail: nn.Module, *, pictures: int, batch_size: int) -> None:
        """Sets how far the batches of an epoch of ``pictures`` may be split for ``tail``."""
        self.training = batch_fit(tail, pictures=pictures, batch_size=batch_size)

    def begin_epoch(self) -> None:
        """Tries whole batches again: a neighbour that took the memory may have ended.

        Evaluation stays split: its result does not depend on it.
        """
        self.training.restart()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Running out of memory inside, despite smaller batches, ends the run as ``oom``."""
        try:
            yield
        except (OutOfMemory, RuntimeError, MemoryError, OSError) as error:
            if not (isinstance(error, OutOfMemory) or is_out_of_memory(error)):
                raise
            self._curve.out_of_memory = True
            self._curve.oom_had_share = self._compute.has_share()


def batch_fit(tail: nn.Module, *, pictures: int, batch_size: int) -> MemoryFit:
    """How many pictures of a batch ``tail`` may be trained on at once.

    Args:
        pictures: that an epoch trains on.
    """
    if not any(isinstance(module, _BatchNorm) for module in tail.modules()):
        return MemoryFit(batch_size)
    sizes = {len(batch) for batch in batches(pictures, batch_size, seed=0, epoch=1)}
    return MemoryFit(batch_size, least=smallest_limit(sizes, LEAST_FOR_BATCH_NORM))


def smallest_limit(sizes: Iterable[int], least: int) -> int:
    """The smallest limit that splits batches of ``sizes`` into parts of at least ``least``.

    Smaller batches are not split. With 31 pictures and at least 8 it is 11: three equal parts have
    10 or 11, while a limit of 10 gives four parts, one of them with 7.
    """
    return max(math.ceil(size / max(1, size // least)) for size in sizes)
