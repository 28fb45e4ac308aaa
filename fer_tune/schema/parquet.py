"""Parquet from untrusted files: its size in memory is known before it is read.

A few hundred bytes of Parquet can stand for billions of values, or for one long text repeated
millions of times. So rows, values and bytes are summed over metadata and pages first; and texts
are read as dictionaries, in which a repeated text is one text, and counted before they are
written out.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as dataset
import pyarrow.parquet as pq

from fer_tune.schema.limits import GIB, MIB
from fer_tune.schema.parquet_pages import BadPage, pages_of

#: Bytes that any value takes in memory, at the least.
_VALUE_BYTES = 8


class Oversized(ValueError):
    """Too large, or not readable within bounds; the message follows a file's name."""


def read_tables(contents: Sequence[bytes], schema: pa.Schema, *, rows: int, size: int) -> pa.Table:
    """The rows of Parquet files in their order; columns that one lacks are null.

    Args:
        contents: of one file each.
        schema: columns that are read, and their types. Texts and bytes only at the top level.
        rows, size: the most rows, and bytes in memory, of all files together.

    Raises:
        Oversized: they hold more.
        pyarrow.ArrowException, OSError, UnicodeDecodeError: one is damaged, or has other types.
    """
    texts = [field.name for field in schema if _is_text(field)]
    files = [_opened(content, texts) for content in contents]
    left, columns = _Left(rows, size), set(schema.names)
    for file, content in zip(files, contents, strict=True):
        left.take(file.metadata, content, columns)
    wanted = _as_dictionaries(schema)
    if files and all(file.schema_arrow.equals(wanted) for file in files):
        # A dataset takes several times as long for many small files.
        parts = [
            file.read(use_threads=len(content) > MIB)
            for file, content in zip(files, contents, strict=True)
        ]
        found = pa.concat_tables(parts)
    else:
        found = _converted(contents, wanted, texts)
    return _written_out(found, schema, size=size)


def check_group(
    metadata: Any, stream: IO[bytes], number: int, columns: Sequence[str], *, size: int
) -> None:
    """Checks one row group of a large file before some of its columns are read.

    Args:
        stream: the file; seekable.
        number: of the row group.
        columns: top-level names.
        size: the most bytes in memory of these columns.

    Raises:
        Oversized: they take more.
        pyarrow.ArrowInvalid: a column lies outside the file.
    """
    if metadata.created_by.startswith("parquet-mr"):
        raise Oversized(f"was written by {metadata.created_by[:40]!r}, which is not supported")
    length, group, left = stream.seek(0, io.SEEK_END), metadata.row_group(number), size
    for column in map(group.column, range(group.num_columns)):
        if column.path_in_schema.partition(".")[0] in columns:
            start, end = _place_of(column, length)
            if end - start > size:
                raise Oversized(_too_much(size))
            stream.seek(start)
            content = stream.read(end - start)
            left -= _bytes_of(column, content, 0, end - start)
            if left < 0:
                raise Oversized(_too_much(size))


def _opened(content: bytes, texts: list[str]) -> pq.ParquetFile:
    """A file whose columns ``texts`` are read as dictionaries, unless it lacks one of them."""
    try:
        return pq.ParquetFile(
            pa.BufferReader(content), read_dictionary=texts, page_checksum_verification=True
        )
    except KeyError:
        return pq.ParquetFile(pa.BufferReader(content))


def _converted(contents: Sequence[bytes], schema: pa.Schema, texts: list[str]) -> pa.Table:
    """The rows of files whose columns are others, or of other types."""
    read = dataset.ParquetReadOptions(dictionary_columns=texts)
    scan = dataset.ParquetFragmentScanOptions(page_checksum_verification=True)
    kind = dataset.ParquetFileFormat(read_options=read, default_fragment_scan_options=scan)
    fragments = [kind.make_fragment(pa.py_buffer(content)) for content in contents]
    return dataset.FileSystemDataset(fragments, schema, kind).to_table()


def out_of_range(
    table: pa.Table,
    permitted: Mapping[str, Sequence[object]],
    ranges: Mapping[str, tuple[float, float]],
) -> str | None:
    """The first column with a value that is not permitted or outside its range, or None."""
    for name, values in permitted.items():
        known = pa.array(values, table[name].type)
        if not pc.all(pc.is_in(table[name], known)).as_py():
            return name
    for name, (low, high) in ranges.items():
        inside = pc.and_(pc.greater_equal(table[name], low), pc.less_equal(table[name], high))
        if not pc.all(inside).as_py():
            return name
    return None


class _Left:
    """Rows and bytes that may still be read."""

    def __init__(self, rows: int, size: int) -> None:
        self._limits = rows, size
        self._rows, self._size = rows, size

    def take(self, metadata: Any, content: bytes, columns: set[str]) -> None:
        """Raises Oversized when this file exceeds what remains."""
        if metadata.created_by.startswith("parquet-mr"):
            # For some versions of it, readers read more bytes than a column has.
            raise Oversized(f"was written by {metadata.created_by[:40]!r}, which is not supported")
        self._rows -= metadata.num_rows
        if self._rows < 0:
            raise Oversized(f"has more than {self._limits[0]} rows")
        compressed = 0
        for number in range(metadata.num_row_groups):
            group, lacking = metadata.row_group(number), set(columns)
            for column in map(group.column, range(group.num_columns)):
                name = column.path_in_schema.partition(".")[0]
                if name in columns:
                    start, end = _place_of(column, len(content))
                    compressed += end - start
                    if compressed > len(content):
                        raise pa.ArrowInvalid("columns share the same bytes")
                    self._size -= _bytes_of(column, content, start, end)
                    lacking.discard(name)
            self._size -= len(lacking) * group.num_rows * _VALUE_BYTES  # nulls in their place
            if self._size < 0:
                raise Oversized(f"{_too_much(self._limits[1])}")


def _too_much(size: int) -> str:
    return f"takes more than {size / GIB:g} GiB in memory"


def _place_of(column: Any, length: int) -> tuple[int, int]:
    """Where the pages of one column of one row group begin and end in a file."""
    start = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
        start = column.dictionary_page_offset
    end = start + column.total_compressed_size
    if not 0 <= start <= end <= length:
        raise pa.ArrowInvalid("a column lies outside the file")
    return start, end


def _bytes_of(column: Any, content: bytes, start: int, end: int) -> int:
    """The memory that one column of one row group takes, repeated texts counted once."""
    try:
        pages = pages_of(content, start, end)
    except BadPage as error:
        raise Oversized(f"column {column.path_in_schema[:80]!r} {error}") from None
    values = max(pages.values, column.num_values)
    return int(max(pages.size, column.total_uncompressed_size, values * _VALUE_BYTES))


def _as_dictionaries(schema: pa.Schema) -> pa.Schema:
    """The same columns, texts and bytes as dictionaries."""
    return pa.schema(
        [
            field.with_type(pa.dictionary(pa.int32(), field.type)) if _is_text(field) else field
            for field in schema
        ]
    )


def _written_out(table: pa.Table, schema: pa.Schema, *, size: int) -> pa.Table:
    """The table with the types of ``schema``, its dictionaries as texts."""
    texts = [chunk for field in schema if _is_text(field) for chunk in table[field.name].chunks]
    # Counting takes longer than reading where there are many small parts.
    if sum(len(chunk) * chunk.dictionary.nbytes for chunk in texts) > size:
        _count(texts, size)
    whole = table.cast(schema)
    whole.validate(full=True)  # that texts are UTF-8, for one
    return whole


def _count(texts: Sequence[Any], size: int) -> None:
    """Raises Oversized when texts take more than ``size`` bytes once they are written out."""
    total = 0
    for chunk in texts:
        lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
        total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    if total > size:
        raise Oversized(_too_much(size))


def _is_text(field: pa.Field) -> bool:
    return bool(pa.types.is_string(field.type) or pa.types.is_binary(field.type))
