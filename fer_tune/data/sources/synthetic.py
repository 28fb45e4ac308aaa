"""The synthetic face generator as a source."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from fer_tune.data.names import class_name
from fer_tune.data.sources.base import RawPicture, Reading, Skipped, Source
from fer_tune.errors import DataError

DEFAULT_COUNT = 1500


def open_synthetic(count: str, reading: Reading, seed: int) -> Source:
    """``count`` drawn faces (as text; empty for the default), the same for the same seed.

    Raises:
        DataError: ``count`` is no positive whole number.
    """
    if count and not (count.isdecimal() and int(count) > 0):
        raise DataError(
            "the number of synthetic pictures must be a positive whole number",
            where="synthetic source",
            value=count,
            remedy=f"Write for example synthetic:{DEFAULT_COUNT}",
        )
    total = int(count) if count else DEFAULT_COUNT
    return Source(items=_items(total, seed), total=total)


def _items(count: int, seed: int) -> Iterator[RawPicture | Skipped]:
    from fer_tune.data.synthetic import generate

    for number, (pixels, label, split) in enumerate(generate(count, seed)):
        yield RawPicture(
            origin=f"synthetic:{seed}:{number}",
            class_name=class_name(label),
            split=split,
            load=partial(np.asarray, pixels),
        )
