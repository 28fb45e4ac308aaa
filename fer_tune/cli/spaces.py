"""`fer-tune spaces`: the search spaces that ship, and checking one's own."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="List, show and check search spaces.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A shipped search space's name, or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override; repeatable.")]


@app.command("list")
def list_() -> None:
    """The shipped search spaces and what each is for."""
    from rich.console import Console
    from rich.table import Table

    from fer_tune.space import load, shipped

    table = Table("name", "purpose", box=None, pad_edge=False)
    for name in shipped():
        table.add_row(name, load(name).purpose)
    Console().print(table)


@app.command()
def show(name: Name) -> None:
    """A shipped search space's YAML."""
    from pathlib import Path

    from fer_tune.space import shipped

    path = shipped().get(name)
    if path is None:
        check(name)
        path = Path(name)
    typer.echo(path.read_text(encoding="utf-8"), nl=False)


@app.command()
def check(name: Name, set_: Overrides = None) -> None:
    """Check a search space, every fault at once, and show what it would cost."""
    from rich.console import Console
    from rich.table import Table

    from fer_tune.space import load, plan

    space = load(name, set_ or [])
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, text in plan(space).rows():
        table.add_row(label, text)
    console = Console()
    console.print(f"[bold]{space.name}[/] is in order.", highlight=False)
    console.print(table)
