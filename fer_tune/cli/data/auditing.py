"""`fer-tune data audit` and `data review`: the findings on a packed dataset."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fer_tune.cli.option_groups import AsJson


def audit(
    folder: Annotated[str, typer.Argument(help="A packed dataset, or its URL.")],
    as_json: AsJson = False,
) -> None:
    """Class balance, copies and near copies, leaks, conflicting labels, blanks, sizes.

    Also how often the test split has been read.
    """
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.data import audit
    from fer_tune.data.at_url import index_at
    from fer_tune.data.audit_text import as_text, readings_line
    from fer_tune.data.readings import readings_of
    from fer_tune.storage import any_path

    index = index_at(any_path(folder))
    found, read = audit(index), readings_of(index)
    searches, evaluations = len(read.of("search")), len(read.of("evaluation"))
    if as_json:
        counts = {"fingerprint": read.test, "searches": searches, "evaluations": evaluations}
        typer.echo(json.dumps({**found.as_dict(), "test_readings": counts}, indent=2))
    else:
        console = Console()
        say(console, *as_text(found, width=console.width).split("\n"))
        say(console, readings_line(searches, evaluations))
    for problem in read.problems:
        say(Console(stderr=True), f"warning: {problem}", wrap=True)


def review(
    folder: Annotated[str, typer.Argument(help="A packed dataset.")],
    out: Annotated[str, typer.Option("--out", help="The HTML page to write.")],
    most: Annotated[
        int, typer.Option("--most", min=1, help="Pairs on the page; across splits come first.")
    ] = 2000,
) -> None:
    """Show pairs of near copies on a page, to mark those to leave out of an import."""
    from pathlib import Path

    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.data import PackedDataset
    from fer_tune.data.copies.review import write_review

    shown, found = write_review(PackedDataset.open(Path(folder)), Path(out), most=most)
    say(
        Console(),
        f"{shown:,} of {found:,} pairs of near copies: {out}",
        "Mark pictures there, save the list, and import again with --exclude LIST.",
    )
