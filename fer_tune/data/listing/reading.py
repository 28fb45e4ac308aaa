"""How a source is read: the options of an import that decide what is in the listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fer_tune.data.names import EXPRESSIONS, PublicTest, class_name, split_name


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Where the classes of pictures come from.

    Attributes:
        file: a table of labels (``--labels``): its path, or its name inside the source.
        columns: which columns hold ``file``, ``label``, ``split`` and ``group``, by name or number.
        pattern: a regular expression on the relative path with named groups (``--class-from``).
        format: a known data set's name (``--format``); None to recognise it.
        order: a known data set, or names from 0 on, that numbers stand for (``--label-order``).
        rename: names by the class as found (``--rename``).
        min_agreement: share of the votes that a picture's majority needs, 0 to 1.
    """

    file: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    pattern: str | None = None
    format: str | None = None
    order: str | None = None
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
    """

    classes: tuple[str, ...] | None = None
    public_test: PublicTest = "test"
    follow_links: bool = False
    labels: LabelOptions = field(default_factory=LabelOptions)
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", EXPRESSIONS | frozenset(self.classes or ()))

    def split(self, text: str) -> str | None:
        """The split that ``text`` names, or None."""
        return split_name(text, self.public_test)

    def name(self, found: str) -> str:
        """Canonical name of a class as found."""
        return class_name(found)
