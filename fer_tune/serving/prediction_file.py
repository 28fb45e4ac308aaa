"""Predictions of any model as a CSV, matched to the pictures of a packed dataset.

A row per picture. Columns, in any order and without regard to case:

===============  ================================================================================
``picture``      the picture's name inside the dataset's source, its content hash (which names all
                 copies), or its file name, if no other picture of the dataset has it
a class          its probability, or a score of at least 0; a row's scores are divided by their sum
``predicted``    optional: the class the model named; compared with the most probable class
``milliseconds`` optional: time for this picture
===============  ================================================================================

Columns of expressions that the dataset does not have, such as ``contempt``, are dropped before a
row is divided by its sum. The other columns that ``fer-tune predict`` writes are ignored.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.dataset import DatasetIndex
from fer_tune.data.names import EXPRESSIONS, class_name
from fer_tune.errors import DataError, reading
from fer_tune.schema import TooLarge, read_at_most, shown
from fer_tune.schema.limits import MIB
from fer_tune.storage import AnyPath

#: Some 250 bytes per row, so a million pictures.
MOST_BYTES = 256 * MIB

PICTURE, PREDICTED, MILLISECONDS = "picture", "predicted", "milliseconds"
#: Further columns of `fer-tune predict` (``fer_tune.serving.prediction.COLUMNS``).
IGNORED = frozenset(
    {"face", "left", "top", "right", "bottom", "face_score"}
    | {"expression", "probability", "uncertain"}
)
_FORMAT = "It needs a column `picture` and one per class, separated by commas; see docs/evaluate.md"


@dataclass(frozen=True, kw_only=True)
class PredictionFile:
    """Predictions on the pictures at some positions of a dataset.

    Attributes:
        probabilities: (n, classes) in the dataset's order, each row summing to 1.
        milliseconds: median over the pictures; None without that column.
        notes: what was done to the file, for people.
    """

    probabilities: NDArray[np.float64]
    milliseconds: float | None
    notes: tuple[str, ...]


def read_predictions(
    path: AnyPath, dataset: DatasetIndex, positions: NDArray[np.int64], split: str
) -> PredictionFile:
    """Reads the predictions on the pictures at ``positions`` (n,) of ``dataset``.

    Args:
        split: what the positions are, for messages.

    Raises:
        DataError: not such a CSV; a picture without a row, with two, or not in the split; a class
            without a column; a score that is not a number of at least 0, or a row without any.
    """
    rows = _rows(path)
    _, header = next(rows, (1, []))
    columns = _columns(header, dataset.classes, path)
    found = _Collected(dataset, positions, columns, split, path)
    for line, row in rows:
        if len(row) != len(header):
            raise _error(
                f"{len(row)} fields, the header has {len(header)}", path, line, remedy=_FORMAT
            )
        found.add(line, row)
    return found.result()


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Places of the columns in a row; of ``classes`` in the dataset's order."""

    picture: int
    classes: tuple[int, ...]
    dropped: dict[str, int]
    predicted: int | None
    milliseconds: int | None


def _rows(path: AnyPath) -> Iterator[tuple[int, list[str]]]:
    """Rows with their last line's number; empty lines are skipped."""
    with reading(path, DataError):
        try:
            content = read_at_most(path.resolve(), MOST_BYTES)
        except TooLarge as error:
            raise _error(f"the predictions file is {error}", path) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error("is not a CSV in UTF-8", path, line, remedy=_FORMAT) from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in lines:
            if row:
                yield lines.line_num, row
    except csv.Error as error:
        raise _error(
            f"cannot be read as CSV: {error}", path, lines.line_num, remedy=_FORMAT
        ) from None


def _columns(header: Sequence[str], classes: Sequence[str], path: AnyPath) -> _Columns:
    places: dict[str, int] = {}
    for place, text in enumerate(header):
        name = class_name(text)
        if name in places:
            first = header[places[name]]
            raise _error(f"two columns for {shown(name)}", path, 1, value=f"{first}, {text}"[:100])
        places[name] = place
    missing = [name for name in (PICTURE, *classes) if name not in places]
    if missing:
        raise _error(
            f"no column {', '.join(missing)}",
            path,
            1,
            value=", ".join(header)[:200] or "no columns",
            remedy=_FORMAT,
        )
    known = {PICTURE, PREDICTED, MILLISECONDS, *classes} | EXPRESSIONS | IGNORED
    if unknown := [name for name in places if name not in known]:
        raise _error(
            "a column that is neither a class of the dataset nor an expression",
            path,
            1,
            value=", ".join(unknown)[:200],
            remedy=f"Remove it; the dataset's classes are {', '.join(classes)}",
        )
    return _Columns(
        picture=places[PICTURE],
        classes=tuple(places[name] for name in classes),
        dropped={n: p for n, p in places.items() if n in EXPRESSIONS and n not in classes},
        predicted=places.get(PREDICTED),
        milliseconds=places.get(MILLISECONDS),
    )


class _Names:
    """Positions in a dataset by the names that a picture may have in a predictions file."""

    def __init__(self, dataset: DatasetIndex) -> None:
        self._by_name: dict[str, list[int]] = {}
        self._by_file: dict[str, list[int]] = {}
        for position, (origin, digest) in enumerate(
            zip(dataset.origins, dataset.hashes, strict=True)
        ):
            name = str(origin)
            self._by_name.setdefault(name, []).append(position)
            self._by_name.setdefault(str(digest), []).append(position)
            self._by_file.setdefault(PurePosixPath(name).name, []).append(position)

    def positions(self, name: str) -> list[int]:
        """All positions that ``name`` may mean; of a file name possibly those of others, too."""
        for key in (name, name.replace("\\", "/").removeprefix("./")):
            if key in self._by_name:
                return self._by_name[key]
        return self._by_file.get(name, [])

    def is_ambiguous(self, name: str) -> bool:
        """Whether ``name`` is just a file name, which several pictures have."""
        return name not in self._by_name and len(self._by_file.get(name, ())) > 1


class _Collected:
    """Rows read so far."""

    def __init__(
        self,
        dataset: DatasetIndex,
        positions: NDArray[np.int64],
        columns: _Columns,
        split: str,
        path: AnyPath,
    ) -> None:
        self._dataset, self._positions, self._columns = dataset, positions, columns
        self._split, self._path = split, path
        self._names = _Names(dataset)
        self._place = {int(position): place for place, position in enumerate(positions)}
        self._line = np.zeros(len(positions), dtype=np.int64)  # of each picture's row, 0 for none
        self._scores = np.zeros((len(positions), len(columns.classes)))
        self._times: list[float] = []
        self._otherwise = 0

    def add(self, line: int, row: list[str]) -> None:
        name = row[self._columns.picture].strip()
        places = self._places(line, name)
        scores = self._row_scores(line, row)
        self._otherwise += self._named_otherwise(line, row, scores)
        if self._columns.milliseconds is not None:
            self._times.append(self._number(line, row[self._columns.milliseconds], MILLISECONDS))
        for place in places:
            if self._line[place]:
                raise self._error(
                    f"a second row for a picture of line {self._line[place]}", line, name
                )
            self._line[place], self._scores[place] = line, scores

    def result(self) -> PredictionFile:
        missing = np.flatnonzero(self._line == 0)
        if missing.size:
            first = str(self._dataset.origins[self._positions[missing[0]]])
            raise DataError(
                f"no row for {missing.size} of the {len(self._positions)} {self._split} pictures",
                where=str(self._path),
                remedy=f"Predict every picture of the split; the first one missing is {first}",
            )
        return PredictionFile(
            probabilities=self._scores,
            milliseconds=float(np.median(self._times)) if self._times else None,
            notes=tuple(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        if self._columns.dropped:
            yield (
                f"columns that are not classes of the dataset were dropped: "
                f"{', '.join(self._columns.dropped)}; each row was divided by the sum of the others"
            )
        if self._otherwise:
            yield (
                f"{self._otherwise} rows of column {PREDICTED} name a class other than the most "
                "probable one; the latter is used"
            )

    def _places(self, line: int, name: str) -> list[int]:
        if self._names.is_ambiguous(name):
            raise self._error(
                "several pictures of the dataset have this file name",
                line,
                name,
                "Use the name inside the source, with its folders, or the content hash",
            )
        positions = self._names.positions(name)
        if not positions:
            raise self._error("no picture of the dataset has this name", line, name)
        places = [self._place[p] for p in positions if p in self._place]
        if not places:
            split = self._dataset.splits[positions[0]]
            raise self._error(
                f"this picture is not in the {self._split} split, but in {split}", line, name
            )
        return places

    def _row_scores(self, line: int, row: list[str]) -> NDArray[np.float64]:
        columns = self._columns
        pairs = [
            *zip(self._dataset.classes, columns.classes, strict=True),
            *columns.dropped.items(),
        ]
        values = [self._number(line, row[place], name) for name, place in pairs]
        scores = np.array(values[: len(columns.classes)])
        if not scores.any():
            raise self._error("all scores are 0", line, "")
        scores /= scores.max()  # sums of large scores would overflow
        normalised: NDArray[np.float64] = scores / scores.sum()
        return normalised

    def _named_otherwise(self, line: int, row: list[str], scores: NDArray[np.float64]) -> bool:
        """Whether column ``predicted`` has a class other than the most probable one."""
        if self._columns.predicted is None:
            return False
        text = row[self._columns.predicted]
        classes = self._dataset.classes
        if (name := class_name(text)) not in {*classes, *self._columns.dropped}:
            raise self._error(f"column {PREDICTED} names a class that has no column", line, text)
        return name != classes[int(scores.argmax())]

    def _number(self, line: int, text: str, column: str) -> float:
        try:
            # float() would also take 1_0 and the digits of other scripts.
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise self._error(f"column {column} must hold a number of at least 0", line, text)
        return value

    def _error(self, what: str, line: int, value: str, remedy: str = "") -> DataError:
        return _error(what, self._path, line, value=value or None, remedy=remedy)


def _error(
    what: str, path: AnyPath, line: int | None = None, *, value: str | None = None, remedy: str = ""
) -> DataError:
    where = str(path) if line is None else f"{path}, line {line}"
    return DataError(what, where=where, value=None if value is None else value[:200], remedy=remedy)
