"""`fer-tune data`: importing pictures and auditing what came of it."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

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
    out: Annotated[str, typer.Option("--out", help="The packed dataset to make: folder or URL.")],
    classes: Annotated[
        str | None, typer.Option("--classes", help="Classes to keep, in order, by commas.")
    ] = None,
    max_side: Annotated[int, typer.Option(help="Larger pictures are reduced to this side.")] = 256,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on the first file that is no picture.")
    ] = False,
    public_test: Annotated[
        Literal["test", "validation"], typer.Option(help="Where FER2013's PublicTest goes.")
    ] = "test",
    seed: Annotated[int, typer.Option(help="Of the synthetic faces.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a packed dataset that is there.")
    ] = False,
) -> None:
    """Turn pictures from anywhere into one packed dataset."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from fer_tune.data import PackedDataset, audit, import_source
    from fer_tune.data.at_url import made_at
    from fer_tune.storage import place

    console, target = Console(), place(out)
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
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        found = audit(PackedDataset.open(folder))
    for name, reason in report.skipped:
        console.print(f"skipped {name}: {reason}", highlight=False, markup=False, soft_wrap=True)
    if report.left_out:
        left = ", ".join(f"{n} {name}" for name, n in report.left_out.items())
        console.print(f"left out by --classes: {left}", highlight=False)
    console.print(
        f"{report.pictures} pictures into {target} ({len(report.skipped)} skipped), "
        f"fingerprint {report.fingerprint[:12]}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(found.as_text(width=console.width), highlight=False)


@app.command("audit")
def audit_(
    folder: Annotated[str, typer.Argument(help="A packed dataset, or its URL.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Class balance, exact copies, leaks between splits, conflicting labels, blanks, sizes."""
    from rich.console import Console

    from fer_tune.data import audit
    from fer_tune.data.at_url import index_at
    from fer_tune.storage import place

    found = audit(index_at(place(folder)))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        console = Console()
        console.print(found.as_text(width=console.width), highlight=False, markup=False)
