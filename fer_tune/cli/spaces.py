"""`fer-tune spaces`: shows the shipped search spaces, and checks search spaces."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="List, show and check search spaces.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A shipped search space's name, or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override; repeatable.")]


@app.command("list")
def list_() -> None:
    """List the shipped search spaces and the purpose of each."""
    from rich.console import Console

    from fer_tune.console import plain_table, say
    from fer_tune.space import load, shipped

    rows = [(name, load(name).purpose) for name in shipped()]
    say(Console(), plain_table(rows, "name", "purpose"), wrap=True)


@app.command()
def show(name: Name) -> None:
    """Print a search space's YAML."""
    from pathlib import Path

    from fer_tune.escaping import lines
    from fer_tune.space import shipped

    path = shipped().get(name)
    if path is None:
        check(name)
        path = Path(name)
    typer.echo(lines(path.read_text(encoding="utf-8")), nl=False)


@app.command()
def check(name: Name, set_: Overrides = None) -> None:
    """Check a search space; print all errors, or its plan."""
    from rich.console import Console

    from fer_tune.console import plain_table, say, styled
    from fer_tune.space import load, plan

    space = load(name, set_ or [])
    table = plain_table(plan(space).rows())
    say(Console(), styled((space.name, "bold"), " is valid."), table, wrap=True)
