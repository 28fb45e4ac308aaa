"""The synthetic face generator as a source."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from fer_tune.data.names import class_name
from fer_tune.data.sources.base import RawPicture, Reading, Skipped, Source
from fer_tune.errors import DataError

DEFAULT_COUNT = 1500
MAX_COUNT = 1_000_000


def open_synthetic(count: str, reading: Reading, seed: int) -> Source:
    """``count`` drawn faces (as text; empty for the default), the same for the same seed.

    Raises:
        DataError: ``count`` is not a whole number from 1 to ``MAX_COUNT``, or ``seed`` is negative.
    """
    # The length first: int() refuses thousands of digits.
    if count and not (count.isdecimal() and len(count) <= 9 and 0 < int(count) <= MAX_COUNT):
        raise DataError(
            f"the number of synthetic pictures must be a whole number from 1 to {MAX_COUNT:,}",
            where="data import",
            value=f"synthetic:{count}"[:60],
            remedy=f"For example synthetic:{DEFAULT_COUNT}",
        )
    if seed < 0:
        raise DataError(
            "must be a whole number of at least 0",
            where="--seed",
            value=seed,
            remedy="The default is 0",
        )
    total = int(count) if count else DEFAULT_COUNT
    layout = f"Draw more, for example synthetic:{DEFAULT_COUNT}"
    return Source(items=_items(total, seed), layout=layout, total=total)


def _items(count: int, seed: int) -> Iterator[RawPicture | Skipped]:
    from fer_tune.data.synthetic import generate

    for number, (pixels, label, split) in enumerate(generate(count, seed)):
        yield RawPicture(
            origin=f"synthetic:{seed}:{number}",
            class_name=class_name(label),
            split=split,
            load=partial(np.asarray, pixels),
        )
