"""JSON from untrusted files: bounded in size and depth, with valid Unicode."""

from __future__ import annotations

import json
import os
from typing import Any

from fer_tune.schema.limits import GIB, JSON_DEPTH, MIB
from fer_tune.storage import AnyPath, UrlPath
from fer_tune.storage.links import open_file


class InvalidJson(ValueError):
    """Not JSON, or not within the limits; the message follows "is" or "holds"."""


class TooLarge(InvalidJson):
    """More bytes than the limit."""


def read_at_most(where: AnyPath, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes; a link is not followed.

    Raises:
        TooLarge: the file is larger; never reads more than its stated size.
        OSError: it cannot be read.
    """
    if isinstance(where, UrlPath):
        size, content = where.read_within(most)
    else:
        with open(open_file(where), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size + 1) if size <= most else b""
        size = max(size, len(content))  # it may have grown since
    if size > most:
        raise TooLarge(f"larger than {_in_units(most)}")
    return content


def _in_units(size: int) -> str:
    return f"{size / GIB:g} GiB" if size >= GIB else f"{size / MIB:g} MiB"


def parse_json(content: bytes) -> Any:
    """The value of a JSON document.

    Raises:
        InvalidJson: not UTF-8, not JSON, nested too deeply, or with an unpaired surrogate, which
            cannot be encoded.
    """
    try:
        value = json.loads(content.decode())
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise InvalidJson("truncated or not valid JSON") from None
    check_tree(value)
    return value


def check_tree(value: Any) -> int:
    """Checks depth and texts of a parsed document; returns its number of values and keys.

    Raises:
        InvalidJson: nested too deeply, or a text that cannot be encoded.
    """
    count, level, left = 0, 0, [value]
    while left:
        if level > JSON_DEPTH:
            raise _too_deep()
        count += len(left)
        texts = [one for one in left if isinstance(one, str)]
        inner: list[Any] = []
        for one in left:
            if isinstance(one, dict):
                inner += one.values()
                texts += one
            elif isinstance(one, list):
                inner += one
        _check_texts(texts)
        level, left = level + 1, inner
    return count


def _check_texts(texts: list[str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise InvalidJson("not valid JSON: contains an unpaired surrogate") from None


def _too_deep() -> InvalidJson:
    return InvalidJson(f"nested more than {JSON_DEPTH} levels deep")
