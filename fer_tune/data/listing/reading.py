"""How a source is read: the options of an import that decide what is in the listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fer_tune.data.checks.split_names import given_split, is_exact
from fer_tune.data.names import EXPRESSIONS, PublicTest, class_name, split_name
from fer_tune.data.pixels import UnusableError


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Where the classes of pictures come from.

    Attributes:
        files: tables of labels (``--labels``): their paths, or their names inside the source.
        columns: which columns hold ``file``, ``label``, ``split`` and ``group``, by name or number.
        pattern: a regular expression on the relative path with named groups (``--class-from``).
        format: a known data set's name (``--format``); None to recognise it.
        order: names that numbers stand for, by number as text (``--label-order``).
        rename: names by the class as found (``--rename``).
        min_agreement: share of the votes that a picture's majority needs, 0 to 1.
    """

    files: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    pattern: str | None = None
    format: str | None = None
    order: Mapping[str, str] | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    min_agreement: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a source is read.

    Attributes:
        classes: selected class names, or None for all that are found.
        public_test: the split of FER2013's PublicTest pictures.
        follow_links: follow links in a folder, wherever they lead.
        labels: where classes come from.
        split_names: splits by further names (``--split-names``).
        classes_as_is: whether classes are used whatever they look like.
        encoding: of names in archives; None to guess it.
        group_from: a regular expression on the path that gives the person or clip.
        test_share: of the training pictures, for testing, where the source has no test split.
        test_from: the split that is for testing, where the source has no test split.
    """

    classes: tuple[str, ...] | None = None
    public_test: PublicTest = "test"
    follow_links: bool = False
    split_names: Mapping[str, str] = field(default_factory=dict)
    classes_as_is: bool = False
    encoding: str | None = None
    group_from: str | None = None
    test_share: float | None = None
    test_from: str | None = None
    labels: LabelOptions = field(default_factory=LabelOptions)
    known: frozenset[str] = field(init=False)

    _renamed: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        renamed = {class_name(key): class_name(new) for key, new in self.labels.rename.items()}
        known = EXPRESSIONS | frozenset(self.classes or ()) | frozenset(renamed)
        object.__setattr__(self, "_renamed", renamed)
        object.__setattr__(self, "known", known)

    def split(self, text: str) -> str | None:
        """The split that ``text`` names, or None."""
        return given_split(text, self.split_names) or split_name(text, self.public_test)

    def folder_splits(self, folders: Sequence[str]) -> dict[str, str]:
        """The splits that some of a picture's folders name.

        Below or above a folder that is named by the bare word, or by ``--split-names``, others
        name none: ``test_data/train/happy`` is for training.
        """
        splits = {name: split for name in folders if (split := self.split(name)) is not None}
        bare = {n: s for n, s in splits.items() if is_exact(n) or given_split(n, self.split_names)}
        return bare or splits

    def name(self, found: str, order: Mapping[str, str] | None = None) -> str:
        """Canonical name of a class as found.

        Args:
            order: names of a known data set by number; ``--label-order``, and a ``--rename`` of
                numbers, come before it.

        Raises:
            UnusableError: a number that the order does not have.
        """
        key, number = class_name(found), as_number(found)
        for name in (key, number):
            if name is not None and name in self._renamed:
                return self._renamed[name]
        names = self.labels.order or (None if self.renames_numbers else order)
        if names and found.strip() in names:
            key = class_name(names[found.strip()])
        elif names and number is not None:
            if number not in names:
                raise UnusableError(f"label {found[:20]!r} is not one of {', '.join(names)}")
            key = class_name(names[number])
        elif number is not None and not key.isdigit():
            key = number  # 1.0 of one table is 1 of another
        elif (below := _negative(found)) is not None:
            key = below
        return self._renamed.get(key, key)

    @property
    def renames_numbers(self) -> bool:
        """Whether ``--rename`` says what numbers stand for."""
        return any(as_number(key) is not None for key in self._renamed)

    @property
    def names_classes(self) -> bool:
        """Whether ``--rename`` or ``--label-order`` chose names."""
        return bool(self.labels.rename or self.labels.order)


def _negative(text: str) -> str | None:
    """A whole number below 0 without decimals, of ``-1.0``."""
    sign, _, rest = text.strip().partition("-")
    number = None if sign or rest.isdigit() else as_number(rest)
    return number if number in (None, "0") else f"-{number}"


def as_number(text: str) -> str | None:
    """A whole number from 0 on without leading zeros, also of ``3.0`` and ``3e+00``; else None."""
    text = text.strip()
    if not text.isascii() or len(text) > 24 or not text[:1].isdigit() or "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return str(int(value)) if value.is_integer() and value < 1e6 else None
