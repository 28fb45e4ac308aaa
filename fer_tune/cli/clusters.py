"""`fer-tune cluster`: shows the shipped cluster files, and checks cluster files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_tune.cli.option_groups import AsJson
from fer_tune.errors import UserError

app = typer.Typer(help="List, show and check cluster files.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A shipped cluster file's name, or a YAML file.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the shipped cluster files and what each creates."""
    from rich.console import Console

    from fer_tune.cluster.shipped import purpose, shipped
    from fer_tune.console import plain_table, say
    from fer_tune.escaping import json_text

    rows = [(name, purpose(path)) for name, path in shipped().items()]
    if as_json:
        found = [{"name": name, "creates": creates} for name, creates in rows]
        typer.echo(json_text(found, indent=2))
        return
    say(Console(), plain_table(rows, "name", "makes"), wrap=True)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A shipped cluster file's name.")]) -> None:
    """Print a shipped cluster file, to copy and change."""
    from fer_tune.cluster.shipped import shipped
    from fer_tune.escaping import lines
    from fer_tune.wording import did_you_mean

    path = shipped().get(name)
    if path is None:
        raise UserError(
            "is not a shipped cluster file",
            where="cluster show",
            value=name,
            remedy=did_you_mean(name, shipped()),
        )
    typer.echo(lines(path.read_text(encoding="utf-8")), nl=False)


@app.command()
def check(
    file: Name,
    space: Annotated[
        str | None,
        typer.Option("--space", help="Search space whose trials must fit the machines."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override of the search space; repeatable.")
    ] = None,
    gpu_memory: Annotated[
        float | None,
        typer.Option("--gpu-memory", help="Memory of a GPU in GiB, if the file does not name it."),
    ] = None,
    crds: Annotated[
        Path | None,
        typer.Option("--crds", help="Folder of KubeRay's CRDs, to check a manifest's keys."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a cluster file without a cloud; print all errors, or a summary of the cluster."""
    from rich.console import Console

    from fer_tune.cluster.checks.checking import check as examine
    from fer_tune.console import plain_table, say, styled
    from fer_tune.escaping import json_text
    from fer_tune.space import load

    if gpu_memory is not None and gpu_memory <= 0:
        raise UserError("must be above 0", where="--gpu-memory", value=gpu_memory)
    if set_ and space is None:
        raise UserError("requires a search space", where="--set", remedy="Add --space")
    searched = load(space, set_ or []) if space else None
    checked = examine(file, space=searched, gpu_memory=gpu_memory, crds=crds)
    if as_json:
        rows = [{"what": what, "found": found} for what, found in checked.summary.rows]
        found = {"name": checked.summary.name, "summary": rows, "notes": list(checked.notes)}
        typer.echo(json_text(found, indent=2))
        return
    table = plain_table((*checked.summary.rows, *(("note", note) for note in checked.notes)))
    say(Console(), styled((checked.summary.name, "bold"), ": no errors."), table, wrap=True)
