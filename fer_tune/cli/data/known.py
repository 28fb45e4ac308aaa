"""`fer-tune data formats`: the known data sets."""

from __future__ import annotations

import json

import typer

from fer_tune.cli.option_groups import AsJson


def formats(as_json: AsJson = False) -> None:
    """List the known data sets: layouts, label order, where to get them, licence."""
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.data.formats.registry import FORMATS

    known = sorted(FORMATS, key=lambda one: one.key)
    if as_json:
        rows = [
            {
                "format": one.key,
                "name": one.name,
                "labels": dict(one.order),
                "left_out": dict(one.dropped),
                "layouts": one.layouts,
                "where": one.where,
                "licence": one.licence,
            }
            for one in known
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Console()
    for one in known:
        labels = ", ".join(f"{number} {name}" for number, name in one.order.items())
        say(
            console,
            f"{one.key}  {one.name}",
            f"  layouts  {one.layouts}",
            f"  labels   {labels}",
            f"  where    {one.where}",
            f"  licence  {one.licence}",
        )
