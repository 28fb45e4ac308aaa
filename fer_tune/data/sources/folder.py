"""A folder of pictures with split and class folders in any nesting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from fer_tune.data.pixels import Pixels, UnusableError, decode
from fer_tune.data.sources.base import (
    RawPicture,
    Reading,
    Skipped,
    Source,
    is_clutter,
    place,
    printable,
)


def open_folder(root: Path, reading: Reading) -> Source:
    """Lists the folder at once (so that the total is known) and decodes as it is iterated."""
    unread: list[OSError] = []
    found = sorted(_walk(root, unread))
    files = [path for path in found if not is_clutter(path)]
    faults = [
        Skipped(origin=_name(root, error), reason=f"cannot be read: {error.strerror}")
        for error in unread
    ]
    return Source(
        items=chain(faults, (_item(root, path, reading) for path in files)),
        total=len(faults) + len(files),
        ignored=len(found) - len(files),
    )


def _walk(root: Path, unread: list[OSError]) -> Iterator[PurePosixPath]:
    for folder, subfolders, names in os.walk(root, onerror=unread.append):
        inside = PurePosixPath(Path(folder).relative_to(root).as_posix())
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        for name in (*names, *links):
            yield inside / name


def _name(root: Path, error: OSError) -> str:
    return printable(Path(os.fsdecode(error.filename)).relative_to(root).as_posix())


def _item(root: Path, path: PurePosixPath, reading: Reading) -> RawPicture | Skipped:
    full, origin = root / path, printable(str(path))
    if full.is_dir():
        return Skipped(origin=origin, reason="a link to a folder is not followed")
    try:
        label, split = place(PurePosixPath(origin), reading)
    except UnusableError as error:
        return Skipped(origin=origin, reason=str(error))
    return RawPicture(origin=origin, class_name=label, split=split, load=partial(_load, full))


def _load(path: Path) -> Pixels:
    if not path.is_file():
        raise UnusableError("missing or no regular file")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UnusableError(f"cannot be read: {error.strerror}") from None
    with stream:
        return decode(stream)
