"""`fer-tune bank`: what the feature bank holds, and emptying it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fer_tune.cli.option_groups import AsJson

app = typer.Typer(help="Show and clear the feature bank of this machine.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option("--bank", help="Folder of the feature bank; by default FER_TUNE_BANK's."),
]


@app.command()
def show(bank: Folder = None, as_json: AsJson = False) -> None:
    """Print what the feature bank holds: its folder, bound, entries and their last use."""
    from dataclasses import asdict

    from rich.console import Console

    from fer_tune.console import plain_table, say
    from fer_tune.escaping import json_text
    from fer_tune.features.upkeep import content

    with _readable(bank) as folder:
        found = content(folder)
    if as_json:
        totals = {"bound": found.bound, "entries": found.entries, "bytes": found.bytes}
        groups = [asdict(group) for group in found.groups]
        typer.echo(json_text({"folder": str(folder), **totals, "groups": groups}, indent=2))
        return
    console = Console()
    say(console, f"folder: {folder}")
    say(
        console,
        f"{found.entries} entries, {_size(found.bytes)}; a search that begins now would keep at "
        f"most {_size(found.bound)}",
    )
    if found.groups:
        rows = [
            (
                group.backbone or "earlier version",
                "" if group.crop_size is None else f"{group.crop_size} px",
                "" if group.depth is None else str(group.depth),
                str(group.entries),
                _size(group.bytes),
                _ago(group.last_used),
            )
            for group in found.groups
        ]
        headings = ("backbone", "crop", "depth", "entries", "size", "last used")
        say(console, plain_table(rows, *headings))


@app.command()
def clear(bank: Folder = None, as_json: AsJson = False) -> None:
    """Remove everything from the feature bank; searches that run go on and fill it again."""
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.escaping import json_text
    from fer_tune.features.upkeep import clear as emptied

    with _readable(bank) as folder:
        freed = emptied(folder)
    if as_json:
        found = {"folder": str(folder), "entries": freed.entries, "bytes": freed.bytes}
        typer.echo(json_text(found, indent=2))
    else:
        say(Console(), f"{folder}: removed {freed.entries} entries, {_size(freed.bytes)} freed")


@contextmanager
def _readable(bank: Path | None) -> Iterator[Path]:
    """The bank's folder; its errors become messages."""
    from fer_tune.errors import EnvironmentFault, reporting
    from fer_tune.features.folder import bank_folder

    folder = bank or bank_folder()
    what = "the feature bank cannot be read or cleared"
    remedy = "Choose another folder with --bank or FER_TUNE_BANK"
    with reporting(what, folder, remedy, EnvironmentFault):
        yield folder


def _size(count: int) -> str:
    """Bytes in MiB or GiB."""
    return f"{count / 2**30:,.2f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"


def _ago(instant: float) -> str:
    """A time in the past, in its largest unit."""
    import time

    seconds = max(0.0, time.time() - instant)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"
