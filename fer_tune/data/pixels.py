"""One picture: encoded bytes to canonical 8-bit pixels, and the hash that names them.

The canonical form is ``uint8 (h, w, c)`` with ``c`` = 1 wherever red, green and blue agree, so that
a grey picture is the same picture however its file stores it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = NDArray[np.uint8]

#: Pillow's own warning threshold: a quarter gibibyte of 24-bit colour.
MAX_PIXELS = 1024**3 // 4 // 3

#: Formats with a signature and a decoder in this process. Others are not allowed: EPS would start
#: Ghostscript, TGA has no signature and claims arbitrary bytes.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

_SIXTEEN_BIT = 65535


class UnusableError(Exception):
    """A file or row that is not a usable picture; the message is the reason."""


def decode(stream: IO[bytes], *, upright: bool = False, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The first frame of an encoded picture.

    Palette, CMYK and other colour models become RGB, 16 bits become 8 by scaling, transparency is
    laid over white.

    Args:
        upright: apply the EXIF orientation, which cameras write. Face sets hold pictures in the
            orientation in which they are shown, so an import does not.
        max_pixels: largest size that a file may declare, at most ``MAX_PIXELS``.

    Returns:
        uint8 (h, w, 1) or (h, w, 3), values 0 to 255.

    Raises:
        UnusableError: not a picture, damaged, above ``max_pixels``, or without a defined range.
    """
    with _as_reasons(max_pixels):
        if not stream.read(1):
            raise UnusableError("empty: it has 0 bytes")
        stream.seek(0)
        with Image.open(stream, formats=_available_formats()) as image:
            _check_size(image, max_pixels)  # before a pixel is decoded
            return _upright(image) if upright else _to_pixels(image)


def from_image(image: Image.Image) -> Pixels:
    """The pixels of a PIL image, as :func:`decode` gives them, upright by its EXIF orientation.

    Raises:
        UnusableError: above ``MAX_PIXELS``, damaged, or without a defined range.
    """
    with _as_reasons():
        return _upright(image)


@contextmanager
def _as_reasons(max_pixels: int = MAX_PIXELS) -> Iterator[None]:
    """Turns whatever decoders raise into UnusableError."""
    with warnings.catch_warnings():
        # Pillow warns about oddities in files; the result (pixels or a reason) is enough.
        warnings.simplefilter("ignore")
        try:
            yield
        except UnusableError:
            raise
        except UnidentifiedImageError:
            raise UnusableError("not an image") from None
        except Image.DecompressionBombError:
            raise UnusableError(_too_many_pixels(max_pixels)) from None
        except Exception as error:
            # Damaged files make decoders raise almost anything (OSError, SyntaxError, ValueError,
            # struct.error, IndexError, ...); none of it may end an import of thousands.
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UnusableError(f"damaged: {reason}") from None


def _upright(image: Image.Image) -> Pixels:
    _check_size(image)
    return _to_pixels(ImageOps.exif_transpose(image))


def canonical(pixels: Pixels, max_side: int) -> Pixels:
    """Grey to one channel, then the longer side reduced to ``max_side`` (Lanczos, antialiased).

    Args:
        pixels: uint8 (h, w, 1) or (h, w, 3).
        max_side: longest side kept, in pixels; smaller pictures stay as they are.

    Returns:
        uint8 (h', w', c), C-contiguous.
    """
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)
    assert pixels.size > 0 and max_side >= 1
    if pixels.shape[2] == 3 and _is_grey(pixels):
        pixels = pixels[:, :, :1]
    height, width, channels = pixels.shape
    if max(height, width) > max_side:
        scale = max_side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels))
        pixels = _as_array(image.resize(size, Image.Resampling.LANCZOS))
    return np.ascontiguousarray(pixels)


def content_hash(pixels: Pixels) -> str:
    """SHA-256 (64 hex digits) over height, width, channels and pixels of a canonical picture."""
    height, width, channels = pixels.shape
    digest = hashlib.sha256(f"{height} {width} {channels}\n".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def deviation(pixels: Pixels) -> float:
    """Largest standard deviation of a channel, 0 to 127.5; below 1 a picture is blank."""
    return float(pixels.std(axis=(0, 1), dtype=np.float64).max())


def _available_formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _too_many_pixels(most: int) -> str:
    return f"declares more than {most:,} pixels"


def _check_size(image: Image.Image, most: int = MAX_PIXELS) -> None:
    if image.width * image.height > most:
        raise UnusableError(_too_many_pixels(most))


def _to_pixels(image: Image.Image) -> Pixels:
    _check_size(image)
    if image.mode == "F":
        raise UnusableError("floating-point pixels have no defined range")
    if image.mode.startswith("I"):
        return _from_sixteen_bit(np.asarray(image))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return _as_array(Image.alpha_composite(white, layer).convert("RGB"))
    return _as_array(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _from_sixteen_bit(values: NDArray[np.generic]) -> Pixels:
    wide = values.astype(np.int64)
    if wide.min() < 0 or wide.max() > _SIXTEEN_BIT:
        raise UnusableError("32-bit pixels have no defined range")
    scaled = (wide * 255 + _SIXTEEN_BIT // 2) // _SIXTEEN_BIT
    return scaled.astype(np.uint8)[:, :, None]


def _as_array(image: Image.Image) -> Pixels:
    array = np.asarray(image, dtype=np.uint8)
    return array[:, :, None] if array.ndim == 2 else array


def _is_grey(pixels: Pixels) -> bool:
    red, green, blue = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    return np.array_equal(red, green) and np.array_equal(green, blue)
