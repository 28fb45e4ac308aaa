"""`fer-tune data import`: pictures from any source into a packed dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fer_tune.cli.data.handling import Handling
from fer_tune.cli.option_groups import grouped
from fer_tune.errors import UserError

if TYPE_CHECKING:
    from fer_tune.data.listing import LabelOptions


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Where classes come from, as the user says it."""

    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            help="Table of labels (CSV, TSV, Parquet, …), here or in the source; repeatable.",
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", help="Its columns: file=NAME,label=NAME,split=NAME,group=NAME, or numbers."
        ),
    ] = None
    class_from: Annotated[
        str | None,
        typer.Option(
            "--class-from",
            help="Regular expression on paths with the named groups class, split, group.",
        ),
    ] = None
    format: Annotated[
        str | None,
        typer.Option("--format", help="A known data set, see `data formats`; else recognised."),
    ] = None
    label_order: Annotated[
        str | None,
        typer.Option(
            "--label-order", help="What numbers stand for: a known data set, or names from 0 on."
        ),
    ] = None
    rename: Annotated[
        str | None,
        typer.Option("--rename", help="New names of classes: 1=surprise,2=fear,…"),
    ] = None
    min_agreement: Annotated[
        float,
        typer.Option("--min-agreement", help="Share of the votes that a picture's class needs."),
    ] = 0.0

    def checked(self) -> LabelOptions:
        """The options of an import.

        Raises:
            UserError: one cannot be understood.
        """
        from fer_tune.data.formats.registry import label_order
        from fer_tune.data.listing import LabelOptions

        if not 0 <= self.min_agreement <= 1:
            raise UserError(
                "must be from 0 to 1",
                where="--min-agreement",
                value=self.min_agreement,
                remedy="0.5 needs half of a picture's votes",
            )
        return LabelOptions(
            files=tuple(self.labels or ()),
            columns=_pairs("--columns", self.columns, "file=image,label=emotion"),
            pattern=self.class_from,
            format=self.format,
            order=label_order(self.label_order) if self.label_order else None,
            rename=_pairs("--rename", self.rename, "1=surprise,2=fear"),
            min_agreement=self.min_agreement,
        )


def _pairs(option: str, text: str | None, example: str) -> dict[str, str]:
    """``A=B,C=D`` as a mapping."""
    pairs = [pair.split("=", 1) for pair in (text or "").split(",") if pair.strip()]
    if any(len(pair) < 2 or not pair[0].strip() or not pair[1].strip() for pair in pairs):
        raise UserError(
            "must be pairs NAME=VALUE, separated by commas",
            where=option,
            value=text,
            remedy=f"For example {option} {example}",
        )
    found = {name.strip(): value.strip() for name, value in pairs}
    if len(found) < len(pairs):
        raise UserError("gives a name twice", where=option, value=text)
    return found


@grouped("labels", Labels)
@grouped("handling", Handling)
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, archive, CSV, Parquet, synthetic[:COUNT], or kaggle:OWNER/NAME.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", help="The packed dataset to create: folder or URL."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be imported, and stop before any picture is read."
        ),
    ] = False,
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
    seed: Annotated[int, typer.Option(help="Seed of the synthetic faces and --test-share.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing packed dataset.")
    ] = False,
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Follow links in the folder."),
    ] = False,
    exclude: Annotated[
        Path | None,
        typer.Option("--exclude", help="List of pictures to leave out, from `data review`."),
    ] = None,
    *,
    labels: Labels,
    handling: Handling,
) -> None:
    """Import pictures from any source into one packed dataset."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from fer_tune.cli.data.preview import headline, preview
    from fer_tune.console import say
    from fer_tune.data import PackedDataset, audit, import_source
    from fer_tune.data.at_url import made_at
    from fer_tune.data.audit_text import as_text
    from fer_tune.data.copies.excluding import read_list
    from fer_tune.storage import any_path

    console = Console()
    wanted = [name.strip() for name in classes.split(",")] if classes else None
    reading: dict[str, Any] = {
        "classes": wanted,
        "public_test": public_test,
        "seed": seed,
        "follow_links": follow_links,
        "labels": labels.checked(),
        **handling.reading(),
    }
    if dry_run:
        preview(console, source, reading)
        return
    if out is None:
        raise UserError(
            "missing option --out",
            where="data import",
            remedy="Name the folder or URL of the packed dataset, or add --dry-run",
        )
    target = any_path(out)
    excluded = frozenset[str]() if exclude is None else read_list(exclude)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with (
        made_at(target, force=force) as folder,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("importing", total=None)
        report = import_source(
            source,
            folder,
            max_side=max_side,
            strict=strict,
            force=force,
            bits=handling.bits,
            exclude=excluded,
            **reading,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            searching=lambda done, total: bar.update(
                task, completed=done, total=total, description="searching for near copies"
            ),
        )
        found = audit(PackedDataset.open(folder))
    say(console, *headline(report.found), wrap=True)
    for name, reason in report.skipped:
        say(console, f"skipped {name}: {reason}")
    if report.left_out:
        left = ", ".join(f"{n} {name}" for name, n in report.left_out.items())
        say(console, f"excluded by --classes: {left}", wrap=True)
    if exclude is not None:
        listed = "content" if len(excluded) == 1 else "contents"
        pictures = "picture" if report.excluded == 1 else "pictures"
        say(
            console,
            f"left out by --exclude: {report.excluded} {pictures} with {len(excluded)} listed "
            f"{listed}",
        )
    say(
        console,
        f"imported {report.pictures} pictures into {target} ({len(report.skipped)} skipped), "
        f"fingerprint {report.fingerprint[:12]}",
        *as_text(found, width=console.width).split("\n"),
    )
