"""`fer-tune data`: importing pictures and auditing packed datasets."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from fer_tune.cli.option_groups import AsJson

app = typer.Typer(help="Import and audit pictures.", no_args_is_help=True)


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, zip, FER2013 CSV, synthetic[:COUNT], or kaggle:OWNER/NAME.",
            show_default=False,
        ),
    ],
    out: Annotated[str, typer.Option("--out", help="The packed dataset to create: folder or URL.")],
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Classes to keep, in order, comma-separated."),
    ] = None,
    max_side: Annotated[int, typer.Option(help="Larger pictures are reduced to this side.")] = 256,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on the first file that is not a picture.")
    ] = False,
    public_test: Annotated[
        Literal["test", "validation"], typer.Option(help="Split of FER2013's PublicTest.")
    ] = "test",
    seed: Annotated[int, typer.Option(help="Seed of the synthetic faces.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing packed dataset.")
    ] = False,
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Follow links in the folder."),
    ] = False,
    exclude: Annotated[
        str | None,
        typer.Option("--exclude", help="List of pictures to leave out, from `data review`."),
    ] = None,
) -> None:
    """Import pictures from any source into one packed dataset."""
    from pathlib import Path

    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from fer_tune.console import say
    from fer_tune.data import PackedDataset, audit, import_source
    from fer_tune.data.at_url import made_at
    from fer_tune.data.audit_text import as_text
    from fer_tune.data.copies.excluding import read_list
    from fer_tune.storage import any_path

    console, target = Console(), any_path(out)
    excluded = frozenset[str]() if exclude is None else read_list(Path(exclude))
    wanted = [name.strip() for name in classes.split(",")] if classes else None
    columns = (SpinnerColumn(), TextColumn("importing"), MofNCompleteColumn())
    with (
        made_at(target, force=force) as folder,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("importing", total=None)
        report = import_source(
            source,
            folder,
            classes=wanted,
            max_side=max_side,
            strict=strict,
            public_test=public_test,
            seed=seed,
            force=force,
            follow_links=follow_links,
            exclude=excluded,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        found = audit(PackedDataset.open(folder))
    for name, reason in report.skipped:
        say(console, f"skipped {name}: {reason}")
    if report.left_out:
        left = ", ".join(f"{n} {name}" for name, n in report.left_out.items())
        say(console, f"excluded by --classes: {left}", wrap=True)
    if exclude is not None:
        say(
            console,
            f"left out by --exclude: {report.excluded} "
            f"{'picture' if report.excluded == 1 else 'pictures'} with {len(excluded)} listed "
            f"{'content' if len(excluded) == 1 else 'contents'}",
        )
    say(
        console,
        f"imported {report.pictures} pictures into {target} ({len(report.skipped)} skipped), "
        f"fingerprint {report.fingerprint[:12]}",
        *as_text(found, width=console.width).split("\n"),
    )


@app.command("audit")
def audit_(
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

    where = any_path(folder)
    index = index_at(where)
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


@app.command("review")
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
