"""Options that several commands on kept models share, each defined once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from fer_tune.errors import UserError


def finite(value: float | None) -> float | None:
    """Callback of options: `nan` is in every range of Typer's, and `inf` in those without an end.

    Raises:
        typer.BadParameter: one of them.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model folder, results folder (the arm better on validation), or their URL.",
        show_default=False,
    ),
]
Faces = Annotated[
    Literal["auto", "always", "never"],
    typer.Option("--faces", help="Face detection; never treats each picture as one face."),
]
Threshold = Annotated[
    float,
    typer.Option(
        "--threshold",
        min=0,
        max=1,
        callback=finite,
        help="Below this probability an expression is uncertain.",
    ),
]
Host = Annotated[
    str, typer.Option("--host", help="Address to listen at; all but loopback need a token.")
]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0 for a free one.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="File with the token that requests need; by default FER_TUNE_TOKEN, else none.",
    ),
]
Compare = Annotated[
    str | None,
    typer.Option(
        "--compare",
        help="Also show the models of this results folder, or this model, side by side.",
    ),
]
Runtime = Annotated[
    Path | None,
    typer.Option(
        "--runtime", help="Folder with onnxruntime-web; by default npm downloads it once."
    ),
]


def check_int8(int8: bool, data: str | None) -> None:
    """Raises UserError for `--int8` without pictures."""
    if int8 and data is None:
        raise UserError(
            "needs pictures to calibrate and to score with",
            where="--int8",
            remedy="Add --data with the packed dataset of the search",
        )
