"""`fer-tune spaces`: shows the shipped search spaces, and checks search spaces."""

from __future__ import annotations

from typing import Annotated

import typer

from fer_tune.cli.option_groups import AsJson

app = typer.Typer(help="List, show and check search spaces.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A shipped search space's name, or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override; repeatable.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the shipped search spaces and the purpose of each."""
    from rich.console import Console

    from fer_tune.console import plain_table, say
    from fer_tune.escaping import json_text
    from fer_tune.space import load, shipped

    rows = [(name, load(name).purpose) for name in shipped()]
    if as_json:
        found = [{"name": name, "purpose": purpose} for name, purpose in rows]
        typer.echo(json_text(found, indent=2))
        return
    say(Console(), plain_table(rows, "name", "purpose"), wrap=True)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Print a search space's YAML; with --json every key as resolved, defaults included."""
    from pathlib import Path

    from fer_tune.escaping import json_text, lines
    from fer_tune.space import load, shipped

    if as_json:
        typer.echo(json_text(load(name).as_dict(), indent=2))
        return
    path = shipped().get(name)
    if path is None:
        check(name)
        path = Path(name)
    typer.echo(lines(path.read_text(encoding="utf-8")), nl=False)


@app.command()
def check(name: Name, set_: Overrides = None, as_json: AsJson = False) -> None:
    """Check a search space; print all errors, or its plan."""
    from dataclasses import asdict

    from rich.console import Console

    from fer_tune.console import plain_table, say, styled
    from fer_tune.escaping import json_text
    from fer_tune.space import load, plan

    space = load(name, set_ or [])
    planned = plan(space)
    if as_json:
        found = {"name": space.name, "trials": planned.trials, **asdict(planned)}
        typer.echo(json_text(found, indent=2))
        return
    table = plain_table(planned.rows())
    say(Console(), styled((space.name, "bold"), " is valid."), table, wrap=True)
