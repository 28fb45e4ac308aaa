"""One picture: encoded bytes to canonical 8-bit pixels, and the hash that names them.

Files with 16 bits per pixel often hold 10- or 12-bit values. What the brightest value is, only all
pictures of a source together show: :func:`decode_raw` leaves them as they are.

The canonical form is ``uint8 (h, w, c)`` with ``c`` = 1 wherever red, green and blue agree, so that
a grey picture is the same picture however its file stores it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Pixels = NDArray[np.uint8]
#: Values of a picture with more than 8 bits, grey: uint16 (h, w).
Deep = NDArray[np.uint16]

#: Pillow's own warning threshold: a quarter gibibyte of 24-bit colour.
MAX_PIXELS = 1024**3 // 4 // 3

#: Formats with a signature and a decoder in this process. Others are not allowed: EPS would start
#: Ghostscript, TGA has no signature and claims arbitrary bytes.
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

#: Depths of cameras, in bits; 8 where a program only writes wider files.
DEPTHS = (8, 10, 12, 14, 16)
_SIXTEEN_BIT = 65535
#: Of 16-bit colour Pillow gives the upper 8 bits: below this, values had 14 bits or fewer.
_FULL_COLOUR = 64


class UnusableError(Exception):
    """A file or row that is not a usable picture; the message is the reason."""


def decode(stream: IO[bytes], *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The first frame of an encoded picture, upright by its EXIF orientation.

    Palette, CMYK and other colour models become RGB, more than 8 bits become 8 by the picture's own
    range, transparency is laid over white.

    Args:
        max_pixels: largest size that a file may declare, at most ``MAX_PIXELS``.

    Returns:
        uint8 (h, w, 1) or (h, w, 3), values 0 to 255.

    Raises:
        UnusableError: not a picture, damaged, above ``max_pixels``, or without a defined range.
    """
    return _by_own_range(decode_raw(stream, max_pixels))


def decode_raw(stream: IO[bytes], max_pixels: int = MAX_PIXELS) -> Pixels | Deep:
    """What :func:`decode` gives, but deep grey pictures as they are: uint16 (h, w)."""
    with _as_reasons(max_pixels):
        head = stream.read(64)
        if not head:
            raise UnusableError("empty: it has 0 bytes")
        stream.seek(0)
        try:
            with Image.open(stream, formats=_available_formats()) as image:
                _check_size(image, max_pixels)  # before a pixel is decoded
                return _upright(image)
        except UnidentifiedImageError:
            raise UnusableError(_unknown_kind(head)) from None


def from_image(image: Image.Image) -> Pixels:
    """The pixels of a PIL image, as :func:`decode` gives them.

    Raises:
        UnusableError: above ``MAX_PIXELS``, damaged, or without a defined range.
    """
    with _as_reasons():
        return _by_own_range(_upright(image))


def is_deep(pixels: Pixels | Deep) -> TypeIs[Deep]:
    """Whether a picture has more than 8 bits."""
    return pixels.dtype == np.uint16


def depth_of(brightest: int) -> int:
    """The least depth of a camera, in bits, that has this value (0 to 65535)."""
    return next(bits for bits in DEPTHS if brightest < 2**bits)


def eight_bits(values: Deep, bits: int) -> Pixels:
    """Values below ``2**bits`` scaled to 0 to 255, uint8 (h, w, 1)."""
    white = 2**bits - 1
    scaled = (values.astype(np.int64) * 255 + white // 2) // white
    narrow: Pixels = scaled.astype(np.uint8)[:, :, None]
    return narrow


def _by_own_range(pixels: Pixels | Deep) -> Pixels:
    if is_deep(pixels):
        return eight_bits(pixels, depth_of(int(pixels.max())))
    return pixels


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
        except Image.DecompressionBombError:
            raise UnusableError(_too_many_pixels(max_pixels)) from None
        except Exception as error:
            # Damaged files make decoders raise almost anything (OSError, SyntaxError, ValueError,
            # struct.error, IndexError, ...); none of it may end an import of thousands.
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UnusableError(f"damaged: {reason}") from None


def _upright(image: Image.Image) -> Pixels | Deep:
    _check_size(image)
    deep_colour = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    if image.mode.startswith("I") and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0:
        raise UnusableError("a 16-bit TIFF in which 0 is white; save it with 0 as black")
    pixels: Pixels | Deep = _to_pixels(_turned(image))
    if deep_colour and not is_deep(pixels) and 0 < pixels.max() < _FULL_COLOUR:
        raise UnusableError(
            "16-bit colour whose values end below a quarter of the range, as 10- and 12-bit values "
            "do; convert it to 8 bits"
        )
    return pixels


#: Tag of TIFF: what 0 means.
_PHOTOMETRIC = 262


def _turned(image: Image.Image) -> Image.Image:
    """The picture upright by its EXIF orientation, or as it is where that cannot be read."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        image.load()  # a damaged picture is reported as such
        return image


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
    if "HEIF" not in Image.OPEN and importlib.util.find_spec("pillow_heif") is not None:
        importlib.import_module("pillow_heif").register_heif_opener()
    return [name for name in FORMATS if name in Image.OPEN]


_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def _unknown_kind(head: bytes) -> str:
    """What a file is that no decoder here reads, by its first bytes."""
    brands = [head[i : i + 4] for i in (8, *range(16, len(head) - 3, 4))]
    if head[4:8] == b"ftyp" and {b"avif", b"avis"} & set(brands):
        return "AVIF, which this Pillow cannot read; install Pillow 11.3 or later"
    if head[4:8] == b"ftyp" and brands[0] in _HEIC:
        return "HEIC, which needs the extra: pip install 'fer-tune[heic]'"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "JPEG XL, which is not supported; convert it to PNG or JPEG"
    return "not an image"


def _too_many_pixels(most: int) -> str:
    return f"declares more than {most:,} pixels"


def _check_size(image: Image.Image, most: int = MAX_PIXELS) -> None:
    if image.width * image.height > most:
        raise UnusableError(_too_many_pixels(most))


def _to_pixels(image: Image.Image) -> Pixels | Deep:
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


def _from_sixteen_bit(values: NDArray[np.generic]) -> Deep:
    wide = values.astype(np.int64)
    if wide.min() < 0 or wide.max() > _SIXTEEN_BIT:
        raise UnusableError("32-bit pixels have no defined range")
    return wide.astype(np.uint16)


def _as_array(image: Image.Image) -> Pixels:
    array = np.asarray(image, dtype=np.uint8)
    return array[:, :, None] if array.ndim == 2 else array


def _is_grey(pixels: Pixels) -> bool:
    red, green, blue = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    return np.array_equal(red, green) and np.array_equal(green, blue)
