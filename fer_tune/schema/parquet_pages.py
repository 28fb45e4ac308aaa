"""The declared properties of each page of a Parquet file.

The file's metadata may say anything: a reader allocates what the header of each page declares. So
these headers are read too, in the same way as the reader does.

Thrift's compact protocol, and ``PageHeader`` of ``parquet.thrift`` (Apache Parquet format 2.10).
"""

from __future__ import annotations

from typing import Any, NamedTuple

_I32, _I64, _DOUBLE, _BINARY, _STRUCT = 5, 6, 7, 8, 12
#: Fields of ``PageHeader``.
_UNCOMPRESSED, _COMPRESSED, _DATA, _DICTIONARY, _DATA_V2 = 2, 3, 5, 7, 8
#: Where these have the encoding of their values; number of values is field 1.
_ENCODING = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
#: PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY. In others a value may be the start of the one
#: before it, so that few bytes become many.
_ENCODINGS = {0, 2, 3, 8}
_DEPTH = 8

Fields = dict[int, Any]


class BadPage(ValueError):
    """A page that is not read: damaged, or encoded in another way."""


class Pages(NamedTuple):
    """Sums over the pages of one column of one row group."""

    size: int  # bytes, uncompressed
    values: int


def pages_of(content: bytes, start: int, end: int) -> Pages:
    """Sums over the pages that lie between two offsets of a file.

    Raises:
        BadPage: a header is damaged, or names an encoding that is not read.
    """
    size = values = 0
    at = start
    while at < end:
        try:
            header, at = _struct(content, at, 0)
        except IndexError:
            raise BadPage("is truncated") from None
        size += _whole(header, _UNCOMPRESSED)
        at += _whole(header, _COMPRESSED)
        for kind, encoding in _ENCODING.items():
            if kind in header:
                inner = header[kind]
                if not isinstance(inner, dict):
                    raise BadPage("has a damaged header")
                values += _whole(inner, 1)
                if _whole(inner, encoding) not in _ENCODINGS:
                    raise BadPage("has an unsupported encoding")
    return Pages(size, values)


def _whole(fields: Fields, number: int) -> int:
    value = fields.get(number)
    # A larger one, or one below 0, may be something else to another reader.
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise BadPage("has a damaged header")
    return value


def _struct(content: bytes, at: int, depth: int) -> tuple[Fields, int]:
    """Fields that are whole numbers of 32 bits or structs; others are skipped."""
    if depth > _DEPTH:
        raise BadPage("has a damaged header")
    fields: Fields = {}
    number = 0
    while True:
        head = content[at]
        at += 1
        if head == 0:
            return fields, at
        kind, step = head & 15, head >> 4
        if step:
            number += step
        else:
            number, at = _zigzag(content, at)
        if kind == _I32:
            fields[number], at = _zigzag(content, at)
        elif kind == _BINARY:
            length, at = _varint(content, at)
            at += length
        elif kind == _STRUCT:
            fields[number], at = _struct(content, at, depth + 1)
        else:
            at = _after(content, at, kind)


def _after(content: bytes, at: int, kind: int) -> int:
    if kind in (1, 2):  # true or false: the kind is the value
        return at
    if kind == 3:
        return at + 1
    if kind in (4, _I64):
        return _varint(content, at)[1]
    if kind == _DOUBLE:
        return at + 8
    raise BadPage("has a damaged header")  # page headers contain no lists or maps


def _zigzag(content: bytes, at: int) -> tuple[int, int]:
    value = content[at]
    if value < 128:  # most are: a header is read for every column of every part
        return (value >> 1) ^ -(value & 1), at + 1
    value, at = _varint(content, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = content[at]
    if value < 128:
        return value, at + 1
    value = shift = 0
    while shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise BadPage("has a damaged header")
