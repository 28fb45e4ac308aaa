"""The columns of a packed dataset's index, and what follows from them: fingerprint and groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: 2 where pictures have subjects (people, clips), which earlier versions cannot read.
VERSION, GROUPED_VERSION = 1, 2

INDEX_SCHEMA = pa.schema(
    [
        pa.field("hash", pa.string()),  # content hash of the picture as packed
        pa.field("split", pa.string()),  # train, validation or test
        pa.field("class_name", pa.string()),
        pa.field("origin", pa.string()),  # name inside the source
        pa.field("group", pa.int64()),  # copy group: pictures with the same hash share it
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("channels", pa.int32()),  # as stored, 1 or 3
        pa.field("offset", pa.int64()),  # of the first pixel in pixels.bin, in bytes
        pa.field("deviation", pa.float64()),  # standard deviation, the largest of all channels
    ]
)


def index_schema(version: int) -> pa.Schema:
    """The columns of ``index.parquet``."""
    if version == GROUPED_VERSION:
        # The person or clip that a picture is of; empty where it is not known.
        return INDEX_SCHEMA.append(pa.field("subject", pa.string()))
    return INDEX_SCHEMA


def fingerprint(
    classes: Sequence[str],
    hashes: Sequence[str],
    splits: Sequence[str],
    names: Sequence[str],
    subjects: Sequence[str] | None = None,
) -> str:
    """SHA-256 over classes and, in canonical order, each picture's hash, split and class name.

    Where pictures have subjects, these count too: they decide how splits are cut.
    """
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    columns = (hashes, splits, names) if subjects is None else (hashes, splits, names, subjects)
    for row in zip(*columns, strict=True):
        digest.update(("\n" + " ".join(row)).encode())
    return digest.hexdigest()


def offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """First byte of each picture in ``pixels.bin``; ``sizes`` is int64 (n,), in bytes."""
    first: NDArray[np.int64] = np.cumsum(sizes) - sizes
    return first
