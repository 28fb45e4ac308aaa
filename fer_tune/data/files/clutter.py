"""Which files of a source are pictures by their name, and which are clutter."""

from __future__ import annotations

from pathlib import PurePosixPath

_IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"}
    | {".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
_CLUTTER_SUFFIXES = frozenset({".db", ".ini", ".log", ".md", ".rst", ".txt"})
_CLUTTER_NAMES = frozenset({"icon\r", "licence", "license", "readme"})


def is_picture_name(path: PurePosixPath) -> bool:
    """Whether a file is named like a picture, and not clutter."""
    return path.suffix.casefold() in _IMAGE_SUFFIXES and not is_clutter(path)


def is_clutter(path: PurePosixPath) -> bool:
    """Whether a file is skipped silently: notes, and files that desktops and notebooks create.

    A file named like a picture is never clutter, save macOS resource forks and files in hidden
    folders (``.ipynb_checkpoints`` holds second copies).
    """
    if is_hidden(path.parent):
        return True
    name, suffix = path.name.casefold(), path.suffix.casefold()
    if name.startswith("._"):
        return True
    if suffix in _IMAGE_SUFFIXES:
        return False
    return name.startswith(".") or suffix in _CLUTTER_SUFFIXES or name in _CLUTTER_NAMES


def is_hidden(path: PurePosixPath) -> bool:
    """Whether a file is one that systems hide, as ``.DS_Store`` and all in ``__MACOSX``."""
    return any(part == "__MACOSX" or part.startswith(".") for part in path.parts if part != "..")
