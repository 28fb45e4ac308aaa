"""Whether the first row of a table has the names of its columns."""

from __future__ import annotations

from pathlib import PurePosixPath


def is_header(sample: tuple[tuple[str, ...], ...]) -> bool:
    """Whether the first row has names: words that no later row has, and no file or number."""
    first, rest = sample[0], sample[1:]
    if any(_is_value(cell) for cell in first if cell) or not any(first):
        return False
    if any(KNOWN_NAMES & set(_words(cell)) for cell in first):
        return True
    return bool(rest) and not any(set(first) & set(row) for row in rest)


#: Words that name columns in the tables of data sets.
KNOWN_NAMES = frozenset(
    [
        *("image", "img", "file", "filename", "filepath", "path", "name", "picture", "photo"),
        *("label", "labels", "emotion", "emotions", "expression", "class", "category", "target"),
        *("usage", "split", "subset", "pixels", "subject", "person", "pth"),
    ]
)


def _words(cell: str) -> list[str]:
    return cell.casefold().replace("_", " ").replace("-", " ").replace(".", " ").split()


def _is_value(cell: str) -> bool:
    suffix = PurePosixPath(cell.replace("\\", "/")).suffix.casefold()
    if suffix in (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm"):
        return True
    return _is_number(cell) and len(cell) > 0


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
