"""A cursor over report.json that remembers where it stands, so that a shown number can say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from analysis.formats import NOTHING
from analysis.report.blocks import Cell, Shown

Form = Callable[[Any], str]


@dataclass(frozen=True)
class At:
    """A value of report.json and its path, ``arms.0.test_macro_f1``.

    ``at["key"]`` and ``at[0]`` step down, iterating a list gives a cursor per element; a missing
    key is an error, null is a cursor on None.
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
        """Whether there is anything: not null, not empty."""
        return self.value is not None and self.value not in ({}, [], "")

    def items(self) -> Iterator[tuple[str, At]]:
        """The entries of a mapping."""
        return ((key, self[key]) for key in self.value)

    def shown(self, form: Form = str) -> Shown:
        """What is here as the reader sees it, a number with its place; a dash for null."""
        if self.value is None:
            return Shown(text=NOTHING)
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return Shown(text=form(self.value))
        return Shown(text=form(self.value), value=self.value, path=self.path)

    def cell(self, form: Form = str, *, small: str = "") -> Cell:
        """A table's cell with the number here."""
        return Cell(main=self.shown(form), small=small)

    def estimate(self, form: Form, *, small: str = "", interval: bool = True) -> Cell:
        """A cell with the quantity here: its value, and its interval in small print."""
        if self.value is None or self.value["value"] is None:
            return Cell(main=Shown(text=NOTHING), small=small)
        both = interval and self.value["low"] is not None and self.value["high"] is not None
        return Cell(
            main=self["value"].shown(form),
            low=self["low"].shown(form) if both else None,
            high=self["high"].shown(form) if both else None,
            small=small,
        )
