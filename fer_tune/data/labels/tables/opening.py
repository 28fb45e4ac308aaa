"""Opening of tables: CSV, TSV, columns separated by spaces, JSON, Parquet."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO

from fer_tune.data.checks.text import guess_encoding
from fer_tune.data.files.tree import SourceFile
from fer_tune.data.labels.parquet import columns_of, rows_of
from fer_tune.data.labels.tables.header import is_header
from fer_tune.data.labels.tables.json_rows import json_rows
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError
from fer_tune.wording import plural

#: Longest field of a CSV, in characters; pictures of a megapixel fit.
MAX_FIELD = 64 * 1024**2
#: Rows by which columns are recognised.
SAMPLE = 200
#: Share of rows with equally many words in a table that is separated by spaces.
_REGULAR = 0.8
_SAMPLE_CHARACTERS = 64 * 1024
#: Bytes by which the encoding is recognised.
_SAMPLE_BYTES = 256 * 1024
SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".lst", ".list", ".tab", ".dat"),
    *(".json", ".jsonl", ".parquet"),
)

#: Excel's first line, which says the delimiter.
_SAID = re.compile(r"sep=([;,|\t])", re.IGNORECASE)

#: A row's line (or number), and its cells.
Row = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table whose rows are read when they are needed.

    Attributes:
        file: where it is.
        header: names of its columns, in lower case; None if its first row is data.
        names: the same as written; empty if the first row is data.
        delimiter: between its columns; empty where it is not text.
        sample: its first rows, at most ``SAMPLE``.
        rows: gives every row.
    """

    file: SourceFile
    header: tuple[str, ...] | None
    sample: tuple[tuple[str, ...], ...]
    rows: Callable[[], Iterator[Row]]
    names: tuple[str, ...] = ()
    delimiter: str = ""

    @property
    def width(self) -> int:
        """Number of columns."""
        return max((len(row) for row in self.sample), default=len(self.header or ()))

    @cached_property
    def usual(self) -> int:
        """Number of cells in a row: of the names of its columns, else of most rows.

        R names all columns but that of the names of rows.
        """
        widths = [len(row) for row in self.sample]
        if self.header is None:
            return max(sorted(set(widths)), key=widths.count, default=0)
        names = len(self.header)
        return names + (bool(widths) and set(widths) == {names + 1})

    def overflows(self, row: tuple[str, ...]) -> bool:
        """Whether a row has values beyond the last column."""
        return any(row[self.usual :])

    @property
    def columns(self) -> str:
        """Its columns, for messages."""
        if self.header is None:
            names = "without a name" if self.width == 1 else "without names"
            return f"{plural(self.width, 'column')} {names}"
        return ", ".join(self.header)[:200]


def is_table(path: PurePosixPath) -> bool:
    """Whether a file is named like a table that can be read."""
    return path.suffix.casefold() in SUFFIXES


def open_table(file: SourceFile) -> TextTable:
    """Opens a table and reads its first rows.

    Raises:
        DataError: it cannot be read, or is damaged.
    """
    suffix = file.path.suffix.casefold()
    try:
        if suffix == ".parquet":
            return _parquet(file)
        return _json(file) if suffix in (".json", ".jsonl") else _text(file)
    except UnusableError as error:
        raise DataError(f"cannot be read: {error}", where=file.place) from None


def readable_table(file: SourceFile) -> TextTable | None:
    """The table of a file that may be something else; None if it cannot be read as one."""
    try:
        return open_table(file)
    except DataError:
        return None


def text_of(stream: IO[bytes]) -> IO[str]:
    """Its text: UTF-8, or UTF-16 with its mark, else in the encoding that is most plausible.

    The beginning decides. What cannot be decoded becomes U+FFFD.
    """
    begin = stream.read(_SAMPLE_BYTES)
    stream.seek(0)
    return io.TextIOWrapper(stream, encoding=_encoding(begin), errors="replace", newline="")


def _encoding(begin: bytes) -> str:
    if begin[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    try:
        # The last character may be cut off.
        codecs.getincrementaldecoder("utf-8-sig")().decode(begin)
    except UnicodeDecodeError:
        return guess_encoding(re.findall(rb"[^\x00-\x2f\x3a-\x40]+", begin))
    return "utf-8-sig"


def cells_of(lines: Iterator[str], delimiter: str, where: str) -> Iterator[Row]:
    """Rows with their line numbers; empty ones are left out.

    Args:
        delimiter: a space splits at any white space.

    Raises:
        DataError: a quotation mark is not closed, or a field is too long.
    """
    if delimiter == " ":
        for number, line in enumerate(lines, start=1):
            if words := line.split():
                yield number, tuple(words)
        return
    csv.field_size_limit(MAX_FIELD)
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise DataError(
                f"cannot be read as CSV: {error}",
                where=f"{where}:{rows.line_num}",
                remedy="Fix this line: look for an unclosed quotation mark",
            ) from None
        if row is None:
            return
        if row:
            yield rows.line_num, tuple(cell.strip() for cell in row)


def _text(file: SourceFile) -> TextTable:
    try:
        with text_of(file.stream()) as lines:
            begin = lines.read(_SAMPLE_CHARACTERS)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnusableError(f"cannot be unpacked: {error}") from None
    delimiter = _delimiter(begin, file.path.suffix.casefold())
    shown = begin.splitlines(keepends=True)
    if len(shown) > 1 and len(begin) == _SAMPLE_CHARACTERS:
        shown.pop()  # cut off
    sample = []
    for row in cells_of(iter(shown), delimiter, file.place):
        sample.append(row[1])
        if len(sample) > SAMPLE:
            break
    if _SAID.match(begin):
        del sample[:1]
    if delimiter == " ":
        _check_regular(file, sample)
    return _headed(file, tuple(sample), delimiter)


def _check_regular(file: SourceFile, sample: Sequence[Sequence[str]]) -> None:
    """Stops at words separated by spaces whose number differs: spaces are also within cells."""
    widths = [len(row) for row in sample]
    usual = max(sorted(set(widths)), key=widths.count, default=0)
    # The first row may be a comment or a header.
    longer = any(width > usual for width in widths[1:])
    if longer or widths.count(usual) < _REGULAR * len(widths):
        raise DataError(
            f"rows have {min(widths)} to {max(widths)} columns separated by spaces, so that spaces "
            "are also within a name or label",
            where=file.place,
            remedy="Separate the columns by tabs or commas",
        )


def _text_rows(file: SourceFile, delimiter: str) -> Iterator[Row]:
    with text_of(file.whole()) as lines:
        rows = cells_of(lines, delimiter, file.place)
        first = next(rows, None)
        if first is not None and not _SAID.match(delimiter.join(first[1])):
            yield first
        yield from rows


def _delimiter(text: str, suffix: str) -> str:
    """The one that gives the most rows an equal number of columns, at least two.

    Commas that are as regular as more semicolons belong to decimal numbers.
    """
    if said := _SAID.match(text):
        return said[1]
    lines = [line for line in text.splitlines()[:50] if line.strip()][:-1] or [text]

    def regular(delimiter: str) -> tuple[float, int]:
        try:
            rows = [cells for _, cells in cells_of(iter(lines), delimiter, "")]
        except DataError:
            return 0, 0
        widths = [len(cells) for cells in rows]
        most = max(set(widths), key=widths.count, default=0)
        return (widths.count(most) / max(1, len(widths)) if most > 1 else 0), most

    preferred = {".tsv": "\t", ".tab": "\t", ".csv": ","}.get(suffix)
    order = [preferred] if preferred else []
    order += [one for one in "\t,;| " if one != preferred]
    if preferred and " " not in lines[0].strip():
        order.remove(" ")  # which is within a cell, as of pixels below the name of their column
    best = max(order, key=lambda one: regular(one)[0])
    if best == "," and regular(";")[0] == regular(",")[0] and regular(";")[1] > regular(",")[1]:
        return ";"
    return best if regular(best)[0] > 0 else ","


def _headed(file: SourceFile, sample: tuple[tuple[str, ...], ...], delimiter: str) -> TextTable:
    headed = bool(sample) and is_header(sample)

    def rows() -> Iterator[Row]:
        every = _text_rows(file, delimiter)
        if headed:
            next(every)
        yield from every

    return TextTable(
        file=file,
        header=tuple(cell.casefold() for cell in sample[0]) if headed else None,
        sample=sample[1:] if headed else sample[:SAMPLE],
        rows=rows,
        names=sample[0] if headed else (),
        delimiter=delimiter,
    )


def _json(file: SourceFile) -> TextTable:
    found = json_rows(file)
    names = list(dict.fromkeys(name for _, one in found for name in one))

    def rows() -> Iterator[Row]:
        for number, one in found:
            yield number, tuple(text_in(one.get(name)) for name in names)

    sample = tuple(cells for _, cells in zip_first(rows(), SAMPLE))
    header = tuple(name.strip().casefold() for name in names)
    return TextTable(file=file, header=header, sample=sample, rows=rows)


def _parquet(file: SourceFile) -> TextTable:
    with file.whole() as stream:
        names = columns_of(stream)

    def rows() -> Iterator[Row]:
        with file.whole() as again:
            for number, one in enumerate(rows_of(again, names), start=1):
                yield number, tuple(text_in(value) for value in one)

    sample = tuple(cells for _, cells in zip_first(rows(), SAMPLE))
    return TextTable(
        file=file, header=tuple(name.strip().casefold() for name in names), sample=sample, rows=rows
    )


def zip_first(rows: Iterator[Row], most: int) -> Iterator[Row]:
    """At most ``most`` rows; closes what is read."""
    try:
        for _, row in zip(range(most), rows, strict=False):
            yield row
    finally:
        if hasattr(rows, "close"):
            rows.close()


def text_in(value: object) -> str:
    """A value of a typed table as text; empty where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
