"""What a search needs once Ray runs, prepared in a thread while Ray starts.

Starting Ray is mostly waiting for its processes, some six seconds. Importing torch, Ray Tune and
Optuna takes four, measuring the precision two to five.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fer_tune.space import SearchSpace
from fer_tune.tuning.options import SearchOptions

if TYPE_CHECKING:
    from fer_tune.training.device.precision import PrecisionChoice


@contextmanager
def prepare_ahead(
    space: SearchSpace, options: SearchOptions, *, begins: bool = False
) -> Iterator[Callable[[], PrecisionChoice] | None]:
    """Prepares during the block.

    Args:
        begins: a new search, whose precision is measured here if its trials run here.

    Yields:
        Waits for the measured precision, or raises its error; None where it is not measured here.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        measures = begins and space.precision == "auto" and options.address is None
        measured = thread.submit(_measured, space).result if measures else None
        imported = thread.submit(importlib.import_module, "fer_tune.tuning.execution")
        try:
            yield measured
        except (ImportError, RuntimeError):
            # A library whose import failed halfway may fail in another way at the second import.
            first = imported.exception() if imported.done() else None
            if isinstance(first, Exception):
                raise first from None
            raise
    finally:
        thread.shutdown(cancel_futures=True)


def _measured(space: SearchSpace) -> PrecisionChoice:
    from fer_tune.tuning.precision import choice_here

    return choice_here(space)
