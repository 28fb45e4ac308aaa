"""Options that several commands share, each defined once with the object built from its group.

A command takes a group as one keyword parameter, and :func:`grouped` puts the group's options in
its place::

    @app.command()
    @grouped("options", search_options)
    def resume(results: Folder, *, options: SearchOptions) -> None: ...
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.settings import FAILED_SHARE, SMALLEST_EFFECT, Settings
from fer_tune.errors import UserError
from fer_tune.tuning.options import CHECKPOINT_INTERVAL_S, SearchOptions

#: Longest interval between two checkpoints, in seconds: a day.
LONGEST_INTERVAL_S = 86_400

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def instant(text: str) -> float:
    """Seconds since the epoch of ``--since``: a date, a date with a time, or how long ago.

    Raises:
        UserError: neither of them.
    """
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhdw])", text.strip())
    if ago:
        return time.time() - float(ago[1]) * _UNITS_S[ago[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        raise UserError(
            "must be a date or how long ago",
            where="--since",
            value=text,
            remedy="Such as 2026-05-31, 2026-05-31T14:00, 90m, 12h, 7d or 2w",
        ) from None


_UNITS_S = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}

Since = Annotated[
    float | None,
    typer.Option(
        "--since",
        parser=instant,
        metavar="WHEN",
        help="Only searches that started since then: a date, or 12h, 7d, 2w ago.",
    ),
]


def grouped(
    name: str, build: Callable[..., object]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Puts the parameters of ``build`` in the place of a command's keyword parameter ``name``.

    Args:
        build: makes the command's argument of them.
    """
    options = signature(build, eval_str=True).parameters

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**given: Any) -> None:
            command(**{name: build(**{one: given.pop(one) for one in options})}, **given)

        own = signature(command, eval_str=True).parameters.values()
        shown = [p for one in own for p in (options.values() if one.name == name else [one])]
        by_name = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in shown]
        vars(called)["__signature__"] = Signature(by_name)
        return called

    return decorate


def search_options(
    address: Annotated[
        str | None,
        typer.Option("--address", help="A running Ray cluster; by default Ray starts here."),
    ] = None,
    cpus: Annotated[int | None, typer.Option("--cpus", help="CPUs for a Ray started here.")] = None,
    bank: Annotated[Path | None, typer.Option("--bank", help="Folder of the feature bank.")] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard/--no-dashboard", help="Start the dashboard of a local Ray.")
    ] = True,
    checkpoint_interval: Annotated[
        float,
        typer.Option(
            "--checkpoint-interval",
            help="Seconds from one checkpoint of a trial to the next, which a kill may cost; "
            "0: every epoch.",
        ),
    ] = CHECKPOINT_INTERVAL_S,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only errors, and the verdict at the end.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Every event and Ray's own log, without the table."),
    ] = False,
) -> SearchOptions:
    """How `search`, `resume` and `confirm` run on this machine or cluster.

    Raises:
        UserError: options that cannot be combined, no CPU, or a value outside its range.
    """
    if quiet and verbose:
        raise UserError("--quiet and --verbose cannot be combined", remedy="Use one of them")
    if cpus is not None and cpus < 1:
        raise UserError(
            "must be at least 1", where="--cpus", value=cpus, remedy="Omit it to use all CPUs"
        )
    if not 0 <= checkpoint_interval <= LONGEST_INTERVAL_S:
        raise UserError(
            f"must be a number of seconds from 0 to {LONGEST_INTERVAL_S}",
            where="--checkpoint-interval",
            value=checkpoint_interval,
            remedy="0 saves every epoch; 60 is the default",
        )
    return SearchOptions(
        address=address,
        cpus=cpus,
        bank=bank,
        dashboard=dashboard,
        checkpoint_interval_s=checkpoint_interval,
        verbosity="quiet" if quiet else "verbose" if verbose else "normal",
    )


def thresholds(
    smallest_effect: Annotated[
        float,
        typer.Option(
            "--smallest-effect", help="Smallest relevant macro-F1 difference; 0.01 is a point."
        ),
    ] = SMALLEST_EFFECT,
    failed_share: Annotated[
        float, typer.Option("--failed-share", help="Share of an arm's trials that may fail.")
    ] = FAILED_SHARE,
) -> Settings:
    """Thresholds of `report`, `rank` and `compare`."""
    return Settings(smallest_effect=smallest_effect, failed_share=failed_share)


@dataclass(frozen=True, kw_only=True)
class Where:
    """How the user names a cluster, and whether another machine may receive the token."""

    cluster: Annotated[
        Path | None,
        typer.Option("--cluster", help="The cluster's file for `ray up`; connects through ssh."),
    ] = None
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            help="The cluster's dashboard, such as http://127.0.0.1:8265; by default "
            "RAY_API_SERVER_ADDRESS.",
            show_default=False,
        ),
    ] = None
    send_token: Annotated[
        bool,
        typer.Option(
            "--send-token",
            help="Send your Ray token to an --address on another machine, if it requires one.",
        ),
    ] = False
