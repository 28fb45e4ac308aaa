"""The synthetic face generator as a source."""

from __future__ import annotations

from fer_tune.data.listing import Entry, Found, Listing, Reading
from fer_tune.errors import DataError

DEFAULT_COUNT = 1500
MAX_COUNT = 1_000_000


def list_synthetic(count: str, reading: Reading, seed: int) -> Listing:
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
    # Drawing needs numpy's random generators, which other sources do not.
    from fer_tune.data.synthetic import planned

    entries = (
        Entry(
            origin=f"synthetic:{seed}:{number}",
            found=label,
            class_name=reading.name(label),
            split=split,
            load=draw,
        )
        for number, (draw, label, split) in enumerate(planned(total, seed))
    )
    found = Found(labels_from="the generator")
    return Listing(items=tuple(entries), found=found, layout=layout)
