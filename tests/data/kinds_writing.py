"""Sources of every kind as lists of files, and what an import would make of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from fer_tune.data.importing import preview_source
from fer_tune.data.listing import LabelOptions, Listing


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One source.

    Attributes:
        files: empty pictures; no import reads them before its examination is over.
        contents: of other files, by path.
        options: of the import; those of labels among them.
    """

    files: list[str] = field(default_factory=list)
    contents: dict[str, str | bytes] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def each(pattern: str, *words: str, pictures: int = 4) -> list[str]:
    """A path for every combination of words in the braces of a pattern; ``#`` is a number."""
    filled = [pattern.format(*parts) for parts in product(*(one.split("|") for one in words))]
    return [path.replace("#", str(n)) for path in filled for n in range(pictures)]


def table(*rows: str, end: str = "\n") -> str:
    """Lines of text."""
    return "".join(row + end for row in rows)


def write(kind: Kind, root: Path) -> str:
    """Writes the source; gives its path."""
    for name, content in {**dict.fromkeys(kind.files, b""), **kind.contents}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(root)


def previewed(kind: Kind, root: Path) -> Listing:
    """What would be imported."""
    own = {name: kind.options[name] for name in kind.options if name in _OF_LABELS}
    others = {name: kind.options[name] for name in kind.options if name not in _OF_LABELS}
    return preview_source(write(kind, root), labels=LabelOptions(**own), **others)


_OF_LABELS = frozenset(LabelOptions.__dataclass_fields__)


def summary(listing: Listing) -> dict[str, str]:
    """Pictures per class, as ``train 4 test 4``."""
    counts: dict[str, dict[str, int]] = {}
    for entry in listing.entries:
        of_class = counts.setdefault(entry.class_name, {})
        of_class[str(entry.split)] = of_class.get(str(entry.split), 0) + 1
    return {
        name: " ".join(f"{split} {counts[name][split]}" for split in sorted(counts[name]))
        for name in sorted(counts)
    }
