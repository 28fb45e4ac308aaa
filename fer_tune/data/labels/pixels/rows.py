"""Pictures written as numbers in the rows of a CSV; a row is found again by its position."""

from __future__ import annotations

import csv
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO

import numpy as np

from fer_tune.data.files.tree import SourceFile
from fer_tune.data.labels.tables import MAX_FIELD
from fer_tune.data.pixels import Pixels, UnusableError
from fer_tune.errors import DataError

#: A row's line number, its fields, and a function that gives them again.
PixelRow = tuple[int, list[str], Callable[[], list[str]]]


class RowFile:
    """A CSV whose rows are read in order first, and by position later."""

    def __init__(self, file: SourceFile, delimiter: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._stream: IO[bytes] | None = None
        csv.field_size_limit(MAX_FIELD)

    def rows(self) -> Iterator[PixelRow]:
        """Every row that is not empty.

        Raises:
            DataError: a quotation mark is not closed, or a field is too long.
        """
        stream = self._opened()
        stream.seek(0)
        lines = _Lines(stream)
        rows = csv.reader(lines, delimiter=self._delimiter)
        while True:
            position = lines.position
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise DataError(
                    f"cannot be read as CSV: {error}",
                    where=f"{self._file.place}:{rows.line_num}",
                    remedy="Fix this line: look for an unclosed quotation mark",
                ) from None
            if row is None:
                return
            if row:
                yield rows.line_num, row, partial(self._row_at, position)

    def _row_at(self, position: int) -> list[str]:
        stream = self._opened()
        stream.seek(position)
        try:
            return next(csv.reader(_Lines(stream), delimiter=self._delimiter), [])
        except csv.Error as error:
            raise UnusableError(f"the file has changed: {error}") from None

    def _opened(self) -> IO[bytes]:
        if self._stream is None:
            self._stream = self._file.whole()
            weakref.finalize(self, self._stream.close)
        return self._stream


class _Lines:
    """Lines of a stream as text, with the position where the next one begins, in bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.position = stream.tell()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        first = self.position == 0
        line = self._stream.readline()
        if not line:
            raise StopIteration
        self.position += len(line)
        text = line.decode("utf-8", "replace")
        return text.removeprefix("\ufeff") if first else text


def load_pixels(
    row: Callable[[], list[str]], columns: Sequence[int], size: tuple[int, int] | None
) -> Pixels:
    """The picture of a row.

    Args:
        row: gives its fields.
        columns: the one with all values separated by spaces or commas, or one for each value.
        size: height and width; None for a square.

    Returns:
        uint8 (h, w, 1), or (h, w, 3) where there are three values for every pixel.

    Raises:
        UnusableError: not whole numbers from 0 to 255, or another number of them.
    """
    cells = row()
    try:
        found = [cells[column] for column in columns]
    except IndexError:
        raise UnusableError("the file has changed") from None
    text = found[0] if len(columns) == 1 else " ".join(found)
    values = _values(text.strip().strip("[]").replace(",", " "))
    return _shaped(values, size)


def _values(text: str) -> Pixels:
    words = text.split()
    try:
        # int() would also take 1_0, +1 and the digits of other scripts.
        if not text.isascii() or any(sign in text for sign in "+-_"):
            raise ValueError
        return np.frombuffer(bytes(map(int, words)), dtype=np.uint8)
    except ValueError:
        wrong = next((word for word in words if not _is_value(word)), text)
        raise UnusableError(
            f"pixels must be whole numbers from 0 to 255 (got {wrong[:20]!r})"
        ) from None


def _shaped(values: Pixels, size: tuple[int, int] | None) -> Pixels:
    if size is not None:
        height, width = size
        for channels in (1, 3):
            if height * width * channels == values.size > 0:
                return values.reshape(height, width, channels)
        raise UnusableError(f"{values.size} pixels, its columns say {height} x {width}")
    for channels in (1, 3):
        side = math.isqrt(values.size // channels)
        if side * side * channels == values.size > 0:
            return values.reshape(side, side, channels)
    raise UnusableError(f"{values.size} pixels are not a square; FER2013 has 48 x 48 = 2304")


def _is_value(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= 255
