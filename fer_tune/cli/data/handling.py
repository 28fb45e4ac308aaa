"""Options of an import for what a source does not say: splits, groups, encodings, depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer


@dataclass(frozen=True, kw_only=True)
class Handling:
    """What the user knows of a source, or wants of it."""

    test_share: Annotated[
        float | None,
        typer.Option(
            "--test-share",
            help="Share of the training pictures that become the test split, by --seed.",
        ),
    ] = None
    test_from: Annotated[
        Literal["validation"] | None,
        typer.Option("--test-from", help="Use this split for testing."),
    ] = None
    group_from: Annotated[
        str | None,
        typer.Option(
            "--group-from",
            help="Regular expression on paths for the person or clip, which stays on one side.",
        ),
    ] = None
    split_names: Annotated[
        str | None,
        typer.Option("--split-names", help="More names of splits: prueba=test,…"),
    ] = None
    classes_as_is: Annotated[
        bool,
        typer.Option(
            "--classes-as-is", help="Import classes that look like splits, people or recordings."
        ),
    ] = False
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", help="Of names in archives that do not say it; else guessed."),
    ] = None
    bits: Annotated[
        int | None,
        typer.Option("--bits", help="Depth of pictures with 16 bits per pixel; else measured."),
    ] = None

    def reading(self) -> dict[str, Any]:
        """The options by which a source is read."""
        return {
            "test_share": self.test_share,
            "test_from": self.test_from,
            "group_from": self.group_from,
            "split_names": [pair for pair in (self.split_names or "").split(",") if pair.strip()],
            "classes_as_is": self.classes_as_is,
            "encoding": self.encoding,
        }
