"""The items of a source: pictures to be decoded, and files to be reported as skipped."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fer_tune.data.names import EXPRESSIONS, PublicTest, class_name, split_name
from fer_tune.data.pixels import Pixels, UnusableError


@dataclass(frozen=True, kw_only=True, slots=True)
class RawPicture:
    """A picture of a source.

    Attributes:
        origin: its name inside the source, such as ``train/happy/1.jpg`` or ``fer2013.csv:17``.
        class_name: canonical class name.
        split: ``train``, ``validation`` or ``test``.
        load: gives uint8 (h, w, 1 or 3) or raises ``UnusableError`` with the reason.
    """

    origin: str
    class_name: str
    split: str
    load: Callable[[], Pixels]


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A file or row that cannot become a picture, by name and reason."""

    origin: str
    reason: str


FOLDERS = "Pictures must be in folders named after their class, such as train/happy/1.png"


@dataclass(frozen=True, kw_only=True)
class Source:
    """An opened source, to be iterated once.

    Attributes:
        items: what it holds, in any order.
        layout: describes the expected layout, for messages when too few pictures are found.
        total: how many items, where that is known beforehand.
        ignored: files skipped silently as clutter.
    """

    items: Iterable[RawPicture | Skipped]
    layout: str = FOLDERS
    total: int | None = None
    ignored: int = 0


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a source is read.

    Attributes:
        classes: selected class names, or None for all that are found.
        public_test: the split of FER2013's PublicTest pictures.
        follow_links: follow links in a folder, wherever they lead.
    """

    classes: tuple[str, ...] | None = None
    public_test: PublicTest = "test"
    follow_links: bool = False
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", EXPRESSIONS | frozenset(self.classes or ()))


def printable(name: str) -> str:
    """``name`` with U+FFFD for what cannot be encoded or would disturb a terminal.

    File names may hold any bytes: invalid UTF-8 (surrogates here), line breaks, escapes.
    """
    return "".join("\ufffd" if _disturbs(character) else character for character in name)


def _disturbs(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def class_and_split(path: PurePosixPath, reading: Reading) -> tuple[str, str]:
    """Class and split from the folders above a file, in any nesting.

    The class is the deepest folder that is a known expression or a selected class, else the deepest
    folder that names no split. Without a split folder a picture is for training. The Kaggle sets
    keep FER2013's usage in the file name (``PublicTest_123.jpg``), which the ``public_test`` option
    then follows.

    Returns:
        Class name and split.

    Raises:
        UnusableError: no class folder, or folders of two splits.
    """
    splits = {name for part in path.parts[:-1] if (name := split_name(part, reading.public_test))}
    classes = [
        class_name(part)
        for part in path.parts[:-1]
        if split_name(part, reading.public_test) is None
    ]
    if len(splits) > 1:
        raise UnusableError(f"is in folders of two splits ({', '.join(sorted(splits))})")
    if not classes:
        raise UnusableError("is not in a class folder")
    split = splits.pop() if splits else "train"
    if split == "test" and path.name.casefold().startswith("publictest"):
        split = reading.public_test
    return next((name for name in reversed(classes) if name in reading.known), classes[-1]), split


_IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"}
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
    if any(part == "__MACOSX" or part.startswith(".") for part in path.parts[:-1] if part != ".."):
        return True
    name, suffix = path.name.casefold(), path.suffix.casefold()
    if name.startswith("._"):
        return True
    if suffix in _IMAGE_SUFFIXES:
        return False
    return name.startswith(".") or suffix in _CLUTTER_SUFFIXES or name in _CLUTTER_NAMES
