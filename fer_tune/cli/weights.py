"""`fer-tune weights`: downloading pretrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Download pretrained weights.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps `fetch` a subcommand although it is the only one."""


@app.command()
def fetch(
    backbones: Annotated[
        list[str] | None,
        typer.Argument(help="Backbones; by default densenet161 and resnet152."),
    ] = None,
    recipe: Annotated[str, typer.Option("--recipe", help="imagenet-v1 or imagenet-v2.")] = (
        "imagenet-v1"
    ),
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Target folder; by default the weights folder.")
    ] = None,
) -> None:
    """Download pretrained weights, for this machine or for one without internet access."""
    from fer_tune.errors import WeightsError
    from fer_tune.escaping import one_line
    from fer_tune.models.registry import backbone
    from fer_tune.models.weights import fetch
    from fer_tune.space.backbones import BACKBONES

    for name in backbones or ["densenet161", "resnet152"]:
        if name not in BACKBONES:
            raise WeightsError(
                "no such backbone",
                where="weights fetch",
                value=name,
                remedy=f"Choose from {', '.join(BACKBONES)}",
            )
        typer.echo(one_line(f"{name} {recipe}: {fetch(backbone(name), recipe, folder)}"))
