"""Pictures with more than 8 bits, kept until the range of all of them is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_tune.data.listing import Entry
from fer_tune.data.pixels import DEPTHS, Deep, Pixels, UnusableError, depth_of, eight_bits
from fer_tune.errors import DataError
from fer_tune.wording import plural

#: A picture whose brightest value is so many times darker than white is of another range.
_DARKEST = 16


class _Kept(NamedTuple):
    entry: Entry
    shape: tuple[int, int]
    brightest: int
    start: int  # in the file, in values


class DeepPictures:
    """16-bit pictures of one import, in a file.

    A camera's 12 bits in a 16-bit file would be nearly black, and one picture does not show whether
    it is dark or of fewer bits. All pictures of a source are scaled alike.
    """

    def __init__(self, file: Path, bits: int | None = None) -> None:
        """
        Args:
            file: that holds the values meanwhile.
            bits: depth by the user (``--bits``); by default the least that all values fit in.

        Raises:
            DataError: ``bits`` is no depth of :data:`DEPTHS`.
        """
        if bits is not None and bits not in DEPTHS:
            raise DataError(
                f"must be one of {', '.join(map(str, DEPTHS))}", where="--bits", value=bits
            )
        self._file = file
        self._given = bits
        self._kept: list[_Kept] = []
        self._values = 0

    def add(self, entry: Entry, values: Deep) -> None:
        """Keeps one picture, uint16 (h, w)."""
        height, width = values.shape
        kept = _Kept(entry, (height, width), int(values.max()), self._values)
        with self._file.open("ab") as out:
            out.write(np.ascontiguousarray(values).tobytes())
        self._values += values.size
        self._kept.append(kept)

    @property
    def brightest(self) -> int:
        """The highest value of all pictures; 0 without any."""
        return max((kept.brightest for kept in self._kept), default=0)

    @property
    def bits(self) -> int:
        """The depth by which they are scaled."""
        return self._given or depth_of(self.brightest)

    def note(self) -> str | None:
        """What was assumed, for the user; None without such pictures."""
        if not self._kept:
            return None
        verb = "has" if len(self._kept) == 1 else "have"
        return (
            f"{plural(len(self._kept), 'picture')} with 16 bits per pixel {verb} values up to "
            f"{self.brightest:,}: read as {self.bits}-bit values (change that with --bits)"
        )

    def scaled(self) -> Iterator[tuple[Entry, Pixels | UnusableError]]:
        """Every picture as uint8 (h, w, 1), or the reason why it is none."""
        for kept in self._kept:
            if (reason := self._out_of_range(kept.brightest)) is not None:
                yield kept.entry, UnusableError(reason)
                continue
            height, width = kept.shape
            count, start = height * width, 2 * kept.start
            values = np.fromfile(self._file, np.uint16, count=count, offset=start)
            yield kept.entry, eight_bits(values.reshape(kept.shape), self.bits)

    def _out_of_range(self, brightest: int) -> str | None:
        if brightest >= 2**self.bits:
            return f"values up to {brightest:,} do not fit in {self.bits} bits"
        if 0 < brightest < 2**self.bits // _DARKEST:
            return (
                f"values end at {brightest:,}, in a source of {self.bits}-bit pictures: nearly "
                "black, or of another depth"
            )
        return None
