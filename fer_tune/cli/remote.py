"""Commands for searches on a cluster: `submit`, `status`, `logs`, `stop`, `fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Cluster = Annotated[
    Path | None,
    typer.Option("--cluster", help="The cluster's file for `ray up`; goes there by ssh."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="The cluster's dashboard, as http://127.0.0.1:8265; by default "
        "RAY_API_SERVER_ADDRESS.",
        show_default=False,
    ),
]
Job = Annotated[str, typer.Argument(help="A job's id, or how it begins.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""
    for command in (submit, status, logs, stop, fetch):
        app.command()(command)


def submit(
    space: Annotated[
        str | None,
        typer.Argument(help="A shipped search space's name, or a YAML file.", show_default=False),
    ] = None,
    cluster: Cluster = None,
    address: Address = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Packed dataset: as the cluster sees it, its URL, or one here (with --cluster).",
        ),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            "--results",
            help="Results folder, as the cluster sees it; by default NAME-TIME below that of the "
            "cluster's file, or below ~/fer_tune/results.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override, as budget.trials=40; repeatable.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RESULTS", help="Go on with a search, in SPACE's place."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not follow the log.")] = False,
) -> None:
    """Run a search on a cluster, and follow it; Ctrl-C leaves it running."""
    from fer_tune.cli.jobs import Where
    from fer_tune.cli.submitting import submit as send

    where = Where(cluster=cluster, address=address)
    code = send(space, resume, where, data, results, set_ or [], follow=not detach)
    raise typer.Exit(code)


def status(
    job: Annotated[
        str | None, typer.Argument(help="A job's id, for all about it.", show_default=False)
    ] = None,
    cluster: Cluster = None,
    address: Address = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The searches of a cluster: state, duration, results folder."""
    from fer_tune.cli.jobs import Where, show_status

    show_status(Where(cluster=cluster, address=address), job, as_json=as_json)


def logs(
    job: Job,
    cluster: Cluster = None,
    address: Address = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until it ends; Ctrl-C only detaches.")
    ] = False,
) -> None:
    """What a search on a cluster has printed."""
    from fer_tune.cli.jobs import Where, show_logs

    raise typer.Exit(show_logs(Where(cluster=cluster, address=address), job, follow=follow))


def stop(
    job: Job,
    cluster: Cluster = None,
    address: Address = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Until its running epochs are finished.")
    ] = True,
) -> None:
    """End a search on a cluster so that it can be taken up again."""
    from fer_tune.cli.jobs import Where
    from fer_tune.cli.jobs import stop as end

    end(Where(cluster=cluster, address=address), job, wait=wait)


def fetch(
    job: Annotated[
        str,
        typer.Argument(help="A job's id or how it begins, or a results folder (path or URL)."),
    ],
    cluster: Cluster = None,
    address: Address = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for them here; by default results/JOB.")
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also those of trials that have not ended.")
    ] = False,
) -> None:
    """Bring results from a cluster here: what is missing or has changed."""
    from fer_tune.cli.fetching import fetch as bring
    from fer_tune.cli.jobs import Where

    bring(Where(cluster=cluster, address=address), job, out, checkpoints=checkpoints)
