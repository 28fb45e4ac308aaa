"""A cursor over report.json that knows its path, so that displayed numbers can be traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from analysis.formats import MINUS, NOTHING
from analysis.report.presentation.blocks import Cell, Shown

Form = Callable[[Any], str]


@dataclass(frozen=True)
class At:
    """A value of report.json and its path, ``arms.0.test_macro_f1``.

    ``at["key"]`` and ``at[0]`` descend, iterating a list gives a cursor per element; a missing key
    is an error, null is a cursor on None.
    """

    value: Any
    path: str = ""

    def __getitem__(self, step: str | int) -> At:
        return At(self.value[step], f"{self.path}.{step}" if self.path else str(step))

    def __iter__(self) -> Iterator[At]:
        return (self[number] for number in range(len(self.value)))

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        """Whether the value is neither null nor empty."""
        return self.value is not None and self.value not in ({}, [], "")

    def items(self) -> Iterator[tuple[str, At]]:
        """The entries of a mapping."""
        return ((key, self[key]) for key in self.value)

    def shown(self, form: Form = str) -> Shown:
        """The value as displayed, a number with its path; a dash for null."""
        if self.value is None:
            return Shown(text=NOTHING)
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return Shown(text=form(self.value))
        return Shown(text=form(self.value), value=self.value, path=self.path)

    def cell(self, form: Form = str, *, small: str = "") -> Cell:
        """A table cell with the value."""
        return Cell(main=self.shown(form), small=small)

    def estimate(self, form: Form, *, small: str = "", interval: bool = True) -> Cell:
        """A cell with the quantity: its value, and its interval in small print."""
        if self.value is None or self.value["value"] is None:
            return Cell(main=Shown(text=NOTHING), small=small)
        both = interval and self.value["low"] is not None and self.value["high"] is not None
        return Cell(
            main=self["value"].shown(form),
            low=self["low"].shown(form) if both else None,
            high=self["high"].shown(form) if both else None,
            small=small,
        )


def pair_name(pair: At) -> str:
    """``A - B`` of an entry with ``first`` and ``second``: first minus second."""
    return f"{pair['first'].value} {MINUS} {pair['second'].value}"
