"""`fer-tune data audit`: the findings on a packed dataset."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fer_tune.cli.option_groups import AsJson


def audit(
    folder: Annotated[str, typer.Argument(help="A packed dataset, or its URL.")],
    as_json: AsJson = False,
) -> None:
    """Class balance, exact copies, leaks between splits, conflicting labels, blanks, sizes."""
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.data import audit
    from fer_tune.data.at_url import index_at
    from fer_tune.data.audit_text import as_text
    from fer_tune.storage import any_path

    found = audit(index_at(any_path(folder)))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        console = Console()
        say(console, *as_text(found, width=console.width).split("\n"))
