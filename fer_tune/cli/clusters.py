"""`fer-tune cluster`: the cluster files that ship, and checking one's own."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="List, show and check cluster files.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A shipped cluster file's name, or a YAML file.")]


@app.command("list")
def list_() -> None:
    """The shipped cluster files and what each makes."""
    from rich.console import Console
    from rich.table import Table

    from fer_tune.cluster.shipped import purpose, shipped

    table = Table("name", "makes", box=None, pad_edge=False)
    for name, path in shipped().items():
        table.add_row(name, purpose(path))
    Console().print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A shipped cluster file's name.")]) -> None:
    """A shipped cluster file's YAML, to copy and change."""
    from fer_tune.cluster.shipped import shipped
    from fer_tune.errors import UserError
    from fer_tune.space.faults import did_you_mean

    path = shipped().get(name)
    if path is None:
        raise UserError(
            "is not a shipped cluster file",
            where="cluster show",
            value=name,
            remedy=did_you_mean(name, shipped()),
        )
    typer.echo(path.read_text(encoding="utf-8"), nl=False)
