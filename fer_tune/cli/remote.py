"""Commands for searches on a cluster: `submit`, `status`, `logs`, `stop`, `fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_tune.cli.option_groups import AsJson, Since, Where, grouped

Job = Annotated[str, typer.Argument(help="A job's id, or the beginning of it.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""
    for command in (submit, status, logs, stop, fetch):
        app.command()(grouped("where", Where)(command))


def submit(
    space: Annotated[
        str | None,
        typer.Argument(help="A shipped search space's name, or a YAML file.", show_default=False),
    ] = None,
    *,
    where: Where,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Packed dataset: a path on the cluster, a URL, or with --cluster a local path.",
        ),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            "--results",
            help="Results folder: a path on the cluster, or a URL; by default NAME-TIME below "
            "that of the cluster file, or below ~/fer_tune/results.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override, such as budget.trials=40; repeatable."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RESULTS", help="Resume this search instead of SPACE."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            help="File, folder or pattern, relative to the top of the working tree, to send "
            "even if it holds pictures, data or weights; a secret must be named by its full path. "
            "Repeatable.",
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not follow the log.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files that would be sent; send nothing.")
    ] = False,
) -> None:
    """Run a search on a cluster, and follow it; Ctrl-C leaves it running."""
    from fer_tune.cli.submitting import submit as send

    code = send(
        *(space, resume, where, data, results, set_ or [], include or []),
        follow=not detach,
        dry_run=dry_run,
    )
    raise typer.Exit(code)


def status(
    job: Annotated[
        str | None, typer.Argument(help="A job's id, for its details.", show_default=False)
    ] = None,
    *,
    where: Where,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """List the searches of a cluster: state, duration, results folder."""
    from fer_tune.cli.jobs import show_status

    show_status(where, job, since=since, as_json=as_json)


def logs(
    job: Job,
    *,
    where: Where,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow until it ends; Ctrl-C only detaches.")
    ] = False,
) -> None:
    """Print the log of a search on a cluster."""
    from fer_tune.cli.jobs import show_logs

    raise typer.Exit(show_logs(where, job, follow=follow))


def stop(
    job: Job,
    *,
    where: Where,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until its running epochs are finished.")
    ] = True,
) -> None:
    """Stop a search on a cluster; it can be resumed."""
    from fer_tune.cli.jobs import stop as end

    end(where, job, wait=wait)


def fetch(
    job: Annotated[
        str,
        typer.Argument(help="A job's id or its beginning, or a results folder (path or URL)."),
    ],
    *,
    where: Where,
    out: Annotated[
        Path | None, typer.Option("--out", help="Local folder; by default results/JOB.")
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also fetch checkpoints of unfinished trials.")
    ] = False,
) -> None:
    """Fetch results from a cluster: everything that is missing or has changed."""
    from fer_tune.cli.fetching import fetch as bring

    bring(
        where,
        job,
        out,
        checkpoints=checkpoints,
    )
