"""Parquet of labels and pictures, read one row group at a time within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fer_tune.data.files.limits import GIB
from fer_tune.data.pixels import UnusableError
from fer_tune.schema.parquet import Oversized, check_group

#: Most rows of a file, and bytes in memory of one of its row groups.
MAX_ROWS = 20_000_000
MAX_GROUP_BYTES = 4 * GIB
_DAMAGED = (OSError, ValueError, pa.ArrowException)


def opened(stream: IO[bytes]) -> pq.ParquetFile:
    """Opens a Parquet file.

    Raises:
        UnusableError: it is damaged, or has too many rows.
    """
    try:
        file = pq.ParquetFile(stream)
    except _DAMAGED as error:
        raise UnusableError(f"is truncated or not a Parquet file: {_first_line(error)}") from None
    if file.metadata.num_rows > MAX_ROWS:
        raise UnusableError(f"has more than {MAX_ROWS:,} rows")
    return file


def read_group(
    file: pq.ParquetFile, stream: IO[bytes], number: int, columns: Sequence[str]
) -> pa.Table:
    """Columns of one row group.

    Raises:
        UnusableError: damaged, or it takes too much memory.
    """
    try:
        check_group(file.metadata, stream, number, columns, size=MAX_GROUP_BYTES)
        return file.read_row_group(number, columns=list(columns), use_threads=False)
    except Oversized as error:
        raise UnusableError(str(error)) from None
    except _DAMAGED as error:
        raise UnusableError(f"is damaged: {_first_line(error)}") from None


def columns_of(stream: IO[bytes]) -> list[str]:
    """Names of the columns that hold text, numbers or truth values."""
    return [field.name for field in opened(stream).schema_arrow if _is_plain(field.type)]


def rows_of(stream: IO[bytes], columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Values of ``columns``, row by row."""
    file = opened(stream)
    for number in range(file.metadata.num_row_groups):
        table = read_group(file, stream, number, columns)
        yield from zip(*(table[name].to_pylist() for name in columns), strict=True)


def hugging_face_features(schema: pa.Schema) -> dict[str, Any]:
    """The features that Hugging Face's ``datasets`` wrote into the schema; empty without them."""
    metadata = schema.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
    )
    return any(test(kind) for test in tests)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
