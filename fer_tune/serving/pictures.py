"""The pictures that a user names: files, folders, patterns, a packed dataset, standard input."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_tune.data import PackedDataset
from fer_tune.data.dataset import DESCRIPTION
from fer_tune.data.files.clutter import is_picture_name
from fer_tune.data.pixels import Pixels, UnusableError, decode, from_image
from fer_tune.errors import DataError, because, reading
from fer_tune.storage import is_url
from fer_tune.storage.links import open_file

#: The name of standard input.
STDIN = "-"
#: Bytes of one encoded picture: more than any camera writes.
MOST_BYTES = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that has not been read yet.

    Attributes:
        name: for people; printable.
        read: decodes it; raises UnusableError.
    """

    name: str
    read: Callable[[], Pixels]


def named_pictures(
    paths: Sequence[str], *, stdin: Callable[[], bytes] | None = None
) -> list[Picture]:
    """The pictures that ``paths`` name, in that order; of a folder or pattern by name.

    A folder stands for the files in it, at any depth, that are named like pictures; a packed
    dataset for its test pictures; ``-`` for one encoded picture on standard input.

    Args:
        stdin: reads standard input; that of the process by default.

    Raises:
        DataError: nothing there, or no picture in it.
    """
    return [picture for path in paths for picture in _at(path, stdin or _stdin)]


def given_pictures(given: object) -> Iterator[Picture]:
    """Pictures from Python: one or several of those that :func:`picture_of` takes."""
    single = isinstance(given, str | os.PathLike | Image.Image | np.ndarray)
    if single or not isinstance(given, Iterable):
        given = [given]
    yield from (picture_of(one, number) for number, one in enumerate(given))


def picture_of(given: object, number: int) -> Picture:
    """A picture from Python: a path, an array uint8 (h, w), (h, w, 1) or (h, w, 3), or a PIL image.

    Args:
        number: names those without a name.

    Raises:
        DataError: something else.
    """
    if isinstance(given, str | os.PathLike):
        return _file(Path(given))
    name = f"picture {number}"
    if isinstance(given, Image.Image):
        return Picture(name=name, read=lambda: from_image(given))
    pixels = _as_pixels(given) if isinstance(given, np.ndarray) else None
    if pixels is None:
        raise DataError(
            "must be a path, a PIL image or an array of uint8 of shape (h, w), (h, w, 1) or "
            "(h, w, 3)",
            where=name,
            value=f"{getattr(given, 'dtype', '')} {getattr(given, 'shape', type(given))}".strip(),
        )
    return Picture(name=name, read=lambda: pixels)


def _as_pixels(array: NDArray[np.generic]) -> Pixels | None:
    """uint8 (h, w, 1) or (h, w, 3), if it can be taken for that."""
    shaped = array[:, :, None] if array.ndim == 2 else array
    fits = shaped.ndim == 3 and shaped.shape[2] in (1, 3) and shaped.size > 0
    return shaped.astype(np.uint8, copy=False) if fits and shaped.dtype == np.uint8 else None


def _at(path: str, stdin: Callable[[], bytes]) -> list[Picture]:
    if path == STDIN:
        return [Picture(name="standard input", read=lambda: _decoded(io.BytesIO(stdin())))]
    if is_url(path):
        raise DataError(
            "pictures are read from files, not from a URL", where=path, remedy="Download them first"
        )
    with reading(path, DataError):
        return _of_files(path)


def _of_files(path: str) -> list[Picture]:
    place = Path(path)
    if path and place.is_dir():
        return _folder(place)
    if path and os.path.lexists(place):
        return [_file(place)]
    matches = sorted(glob.glob(path, recursive=True))
    if not matches:
        raise DataError(
            "no such file or folder", where=path, remedy="Check the path, or the pattern"
        )
    found = [picture for match in matches for picture in _match(Path(match))]
    if not found:
        raise _no_pictures("no pictures in the folders that match", path)
    return found


def _match(place: Path) -> list[Picture]:
    """Of a pattern: a file as it is, a folder's pictures if it has any."""
    return list(_files_below(place)) if place.is_dir() else [_file(place)]


def _folder(folder: Path) -> list[Picture]:
    if (folder / DESCRIPTION).is_file():
        return _dataset(folder)
    found = list(_files_below(folder))
    if not found:
        raise _no_pictures("no pictures in this folder", str(folder))
    return found


def _no_pictures(what: str, where: str) -> DataError:
    remedy = "Files are recognised by their suffix, such as .jpg or .png"
    return DataError(what, where=where, remedy=remedy)


def _files_below(folder: Path) -> Iterator[Picture]:
    unreadable: list[OSError] = []
    for here, folders, names in os.walk(folder, onerror=unreadable.append):
        folders.sort()
        for name in sorted(names):
            path = Path(here, name)
            if is_picture_name(PurePosixPath(path.relative_to(folder))):
                yield _file(path)
    yield from map(_unreadable, unreadable)


def _unreadable(error: OSError) -> Picture:
    """Stands for the pictures of a folder that cannot be listed."""

    def read() -> Pixels:
        raise UnusableError(because(error))

    return Picture(name=_printable(str(error.filename)), read=read)


def _dataset(folder: Path) -> list[Picture]:
    dataset = PackedDataset.open(folder)

    def one(position: int) -> Picture:
        origin = str(dataset.origins[position])
        return Picture(name=_printable(origin), read=lambda: dataset.picture(position))

    return [one(int(position)) for position in np.flatnonzero(dataset.splits == "test")]


def _file(path: Path) -> Picture:
    return Picture(name=_printable(str(path)), read=lambda: _read(path))


def _read(path: Path) -> Pixels:
    try:
        with open(open_file(path.resolve()), "rb") as file:
            return _decoded(file)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name with a NUL
        raise UnusableError(because(error)) from None


def _decoded(stream: io.BufferedIOBase | io.BufferedReader) -> Pixels:
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UnusableError(f"larger than {MOST_BYTES // 2**20} MiB")
    return decode(io.BytesIO(content))


def _stdin() -> bytes:
    return sys.stdin.buffer.read(MOST_BYTES + 1)


def _printable(name: str) -> str:
    """A file name as text: bytes that are not UTF-8 as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
