"""Which files of a source are pictures by their name, and which are clutter."""

from __future__ import annotations

from pathlib import PurePosixPath

_IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"}
    | {".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
_VIDEO_SUFFIXES = frozenset(
    {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}
)
_OTHER_SUFFIXES = frozenset(
    {".csv", ".h5", ".hdf5", ".ipynb", ".json", ".jsonl", ".lst", ".mat", ".npy", ".npz", ".pdf"}
    | {".pickle", ".pkl", ".pt", ".pth", ".py", ".sh", ".tsv", ".wav", ".xls", ".xlsx", ".xml"}
    | {".yaml", ".yml"}
)
_CLUTTER_SUFFIXES = frozenset({".db", ".ini", ".log", ".md", ".rst", ".txt"})
#: Folders of macOS, Windows, Linux, and of network storage, which keeps thumbnails in @eaDir.
_SYSTEM = frozenset(
    {"__MACOSX", "$RECYCLE.BIN", "System Volume Information", "lost+found", "@eaDir", "#recycle"}
    | {"__pycache__"}
)
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
    return any(part in _SYSTEM or part.startswith(".") for part in path.parts if part != "..")


def no_picture(path: PurePosixPath) -> str | None:
    """Why a file cannot be a picture, by its name; None if it may be one."""
    suffix = path.suffix.casefold()
    if suffix in _VIDEO_SUFFIXES:
        return "is a video; import its frames as pictures"
    return "not an image" if suffix in _OTHER_SUFFIXES else None
