"""Checks that bytes are a small PNG and nothing else, without decoding the picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from fer_tune.schema.limits import THUMBNAIL_BYTES, THUMBNAIL_SIDE

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Samples per pixel by colour type: grey, colour. Palettes and transparency are not written.
_SAMPLES = {0: 1, 2: 3}


def png_fault(content: bytes) -> str | None:
    """Why ``content`` is not an 8-bit grey or RGB PNG of at most 256 x 256 pixels.

    Returns: The broken rule, to follow the name of the column; None if there is none.
    """
    if len(content) > THUMBNAIL_BYTES:
        return f"must have at most {THUMBNAIL_BYTES} bytes"
    try:
        right = _is_png(content)
    except (ValueError, struct.error, zlib.error):
        right = False
    side = THUMBNAIL_SIDE
    return None if right else f"must be a complete PNG of at most {side} x {side} pixels"


def _is_png(content: bytes) -> bool:
    """Signature, header, pixels, end: as PNG (second edition) sections 5 and 11 have it."""
    chunks = list(_chunks(content))
    kinds = [kind for kind, _ in chunks]
    packed = b"".join(data for kind, data in chunks if kind == b"IDAT")
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or set(kinds[1:-1]) != {b"IDAT"}:
        return False
    width, height, depth, colour, *ways = struct.unpack(">IIBBBBB", chunks[0][1])
    if not (1 <= width <= THUMBNAIL_SIDE and 1 <= height <= THUMBNAIL_SIDE):
        return False
    if depth != 8 or colour not in _SAMPLES or any(ways):
        return False
    size = height * (1 + width * _SAMPLES[colour])
    inflating = zlib.decompressobj()
    pixels = inflating.decompress(packed, size + 1)
    return len(pixels) == size and inflating.eof and not inflating.unused_data


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(_SIGNATURE):
        raise ValueError("no PNG")
    at = len(_SIGNATURE)
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        data, end = content[at + 8 : at + 8 + length], at + 8 + length
        (check,) = struct.unpack_from(">I", content, end)
        if zlib.crc32(kind + data) != check:
            raise ValueError("damaged")
        yield kind, data
        at = end + 4
