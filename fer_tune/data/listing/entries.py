"""What a source holds, known before any picture is decoded."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from fer_tune.data.checks.text import one_form
from fer_tune.data.pixels import Deep, Pixels


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A picture of a source.

    Attributes:
        origin: its name inside the source, such as ``train/happy/1.jpg`` or ``fer2013.csv:17``.
        found: the class as the source has it, such as ``Suprise`` or ``4``.
        class_name: canonical class name, after ``--label-order``, ``--rename`` and usual variants.
        split: ``train``, ``validation`` or ``test``; None where the source names none.
        group: pictures of one person or clip share it; None where the source names none.
        load: gives uint8 (h, w, 1 or 3), or uint16 (h, w) if it has more than 8 bits; or raises
            ``UnusableError`` with the reason.
    """

    origin: str
    found: str
    class_name: str
    split: str | None
    load: Callable[[], Pixels | Deep]
    group: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A file or row that cannot become a picture, by name and reason."""

    origin: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """How a source was understood; for the user, and for the examination of its classes.

    Attributes:
        format: the known data set that it was recognised as, such as ``RAF-DB``; None for others.
        labels_from: where classes come from, such as ``class folders`` or ``list_label.txt``.
        label_files: names of the files that labels were read from.
        unused_label_files: names of files that look like labels and were not read.
        guessed: whether nothing says that the column labels were read from holds labels.
        named: whether ``--rename`` or ``--label-order`` chose the names of classes.
        notes: sentences for the user, such as how many rows have no picture.
    """

    format: str | None = None
    labels_from: str = "class folders"
    label_files: tuple[str, ...] = ()
    unused_label_files: tuple[str, ...] = ()
    guessed: bool = False
    named: bool = False
    notes: tuple[str, ...] = ()


#: Reason of a picture that no folder gives a class.
NO_CLASS_FOLDER = "is not in a class folder"
FOLDERS = "Pictures must be in folders named after their class, such as train/happy/1.png"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything in a source, in the order of the source.

    Attributes:
        items: pictures, and files or rows that cannot become one.
        found: how the source was understood.
        layout: describes the expected layout, for messages when too few pictures are found.
        ignored: files skipped silently as clutter.
    """

    items: tuple[Entry | Skipped, ...]
    found: Found = Found()
    layout: str = FOLDERS
    ignored: int = 0

    @property
    def entries(self) -> list[Entry]:
        """The pictures."""
        return [item for item in self.items if isinstance(item, Entry)]

    @property
    def skipped(self) -> list[Skipped]:
        """What cannot become a picture."""
        return [item for item in self.items if isinstance(item, Skipped)]

    def counts(self) -> dict[str | None, dict[str, int]]:
        """Pictures per split (None: no split named) and class name, sorted by name."""
        counted = Counter((entry.split, entry.class_name) for entry in self.entries)
        found: dict[str | None, dict[str, int]] = {}
        for (split, name), n in sorted(counted.items(), key=lambda item: str(item[0])):
            found.setdefault(split, {})[name] = n
        return found

    def noting(self, *notes: str) -> Self:
        """The same with further notes for the user."""
        return replace(self, found=replace(self.found, notes=(*self.found.notes, *notes)))

    def changed(self, change: Callable[[Entry], Entry | Skipped]) -> Self:
        """The same with every picture replaced by what ``change`` gives."""
        items = (change(item) if isinstance(item, Entry) else item for item in self.items)
        return replace(self, items=tuple(items))


def printable(name: str) -> str:
    """``name`` in one Unicode form, with U+FFFD for what cannot be encoded or disturbs a terminal.

    File names may hold any bytes: invalid UTF-8 (surrogates here), line breaks, escapes.
    """
    return "".join("\ufffd" if _disturbs(character) else character for character in one_form(name))


#: Joiners, which belong to the spelling of Persian and Indian words.
_JOINERS = "\u200c\u200d"


def _disturbs(character: str) -> bool:
    if character in _JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
