"""`fer-tune cluster`: the cluster files that ship, and checking one's own."""

from __future__ import annotations

from pathlib import Path
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


@app.command()
def check(
    file: Name,
    space: Annotated[
        str | None,
        typer.Option("--space", help="Search space whose trials the machines must fit."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override of the search space; repeatable.")
    ] = None,
    gpu_memory: Annotated[
        float | None,
        typer.Option("--gpu-memory", help="GiB of a GPU, where the file does not say which."),
    ] = None,
    crds: Annotated[
        Path | None,
        typer.Option("--crds", help="Folder of KubeRay's definitions, for a manifest's keys."),
    ] = None,
) -> None:
    """Check a cluster file without a cloud: every fault at once, or what the cluster is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from fer_tune.cluster.checks.checking import check as examine
    from fer_tune.errors import UserError
    from fer_tune.space import load

    if gpu_memory is not None and gpu_memory <= 0:
        raise UserError("must be above 0", where="--gpu-memory", value=gpu_memory)
    if set_ and space is None:
        raise UserError("changes a search space", where="--set", remedy="Name one with --space")
    searched = load(space, set_ or []) if space else None
    checked = examine(file, space=searched, gpu_memory=gpu_memory, crds=crds)
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = (*checked.summary.rows, *(("note", note) for note in checked.notes))
    for label, text in rows:
        table.add_row(escape(label), escape(text))
    console = Console()
    console.print(f"[bold]{escape(checked.summary.name)}[/]: no faults.", highlight=False)
    console.print(table)
