"""Wording of errors: the nearest known name, a short form of the value, the error type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from fer_tune.errors import Fault

#: Characters of a value that a message shows.
SHOWN = 60


class Broken(ValueError):
    """A rule that a value breaks, raised where the value's key is not known.

    Attributes:
        rule: what the value must be, without a subject ("must be above 0").
        remedy: a whole sentence without its full stop, or empty.
        line, column: position in the file, from 1; None where it is not known.
    """

    def __init__(
        self, rule: str, remedy: str = "", *, line: int | None = None, column: int | None = None
    ) -> None:
        self.rule, self.remedy, self.line, self.column = rule, remedy, line, column
        super().__init__(rule if line is None else f"{rule} at line {line}, column {column}")

    def fault(self, remedy: str) -> Fault:
        """An error of the file as a whole; ``remedy`` is for a rule that has none."""
        return Fault(
            key="file",
            rule=self.rule,
            remedy=self.remedy or remedy,
            line=self.line,
            column=self.column,
        )


def plural(count: int, one: str) -> str:
    """A count and its noun: ``1 row``, ``1,024 rows``."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` most likely meant; None when nothing is near.

    Dotted keys are also compared by their last part, so that ``trials`` finds
    ``budget.trials``.
    """
    known = list(known)
    whole = difflib.get_close_matches(name, known, n=1)
    if whole:
        return whole[0]
    by_last = {key.rpartition(".")[2]: key for key in reversed(known)}
    last = difflib.get_close_matches(name.rpartition(".")[2], list(by_last), n=1)
    return by_last[last[0]] if last else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy: the nearest known name, or all of them."""
    known = list(known)
    near = nearest(name, known)
    return f"Did you mean {near!r}?" if near else f"Known: {', '.join(known)}"


def brief(value: object) -> object:
    """The value as a message shows it: itself when short, else the start of its text."""
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= SHOWN else f"{text[:SHOWN]}..."
