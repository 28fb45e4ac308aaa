"""What `search`, `resume` and `confirm` do."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from fer_tune.cli import BEGAN
from fer_tune.cli.reporting import show_report
from fer_tune.storage import Place, UrlPath, place

#: Environment variable: the folder that results folders are made in by default.
RESULTS_VARIABLE = "FER_TUNE_RESULTS"

if TYPE_CHECKING:
    from fer_tune.space import SearchSpace
    from fer_tune.tuning.options import SearchOptions


def run(
    name: str,
    data: str,
    results: str | None,
    overrides: list[str],
    options: SearchOptions,
    dry_run: bool,
) -> None:
    """The `search` command."""
    from fer_tune.space import load

    console = _console(options)
    space = load(name, overrides)
    if dry_run:
        _show_plan(space, place(data), console)
        return
    from fer_tune.tuning.fetched import opened

    where = place(data)
    folder = place(results) if results else default_folder(space.name)
    if isinstance(where, UrlPath):
        _check_before_fetching(space, folder)
    dataset = opened(where, console)

    from fer_tune.tuning.run import run_search

    with _telling_how_to_go_on(folder, console):
        run_search(
            space,
            dataset,
            folder,
            options,
            console,
            data=where if isinstance(where, UrlPath) else None,
            command_began=BEGAN,
        )
    show_report([folder], briefly=options.verbosity == "quiet")


def run_resume(
    results: str,
    extend: list[str],
    data: str | None,
    options: SearchOptions,
) -> None:
    """The `resume` command."""
    from fer_tune.tuning.run import resume_search

    folder, where = place(results), None if data is None else place(data)
    console = _console(options)
    with _telling_how_to_go_on(folder, console):
        resume_search(folder, options, console, data=where, extend=extend, command_began=BEGAN)
    show_report([folder], briefly=options.verbosity == "quiet")


def run_confirm(
    results: str,
    seeds: int,
    data: str | None,
    options: SearchOptions,
) -> None:
    """The `confirm` command."""
    from fer_tune.tuning.run import confirm_more

    folder, where = place(results), None if data is None else place(data)
    console = _console(options)
    with _telling_how_to_go_on(folder, console):
        confirm_more(folder, seeds, options, console, where)
    show_report([folder], briefly=options.verbosity == "quiet")


def _check_before_fetching(space: SearchSpace, folder: Place) -> None:
    """What needs no pictures is refused before they are fetched."""
    from fer_tune.tuning.preparation import check_unused, check_weights

    check_unused(folder)
    check_weights(space)


def default_folder(name: str) -> Place:
    """Where the results of a search of that name go unless it is told otherwise."""
    parent = os.environ.get(RESULTS_VARIABLE) or "results"
    return place(parent) / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _console(options: SearchOptions) -> Console:
    """Where the search speaks; sets up what is logged to the terminal."""
    import logging

    from fer_tune.tuning.logs import FORMAT, LOGGER

    if options.verbosity != "normal":
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(FORMAT, datefmt="%H:%M:%S"))
        handler.setLevel(logging.WARNING if options.verbosity == "quiet" else logging.DEBUG)
        logging.getLogger(LOGGER).addHandler(handler)
    return Console(quiet=options.verbosity == "quiet")


@contextmanager
def _telling_how_to_go_on(folder: Place, console: Console) -> Iterator[None]:
    """After Ctrl-C, says how the search is taken up again."""
    try:
        yield
    except KeyboardInterrupt:
        if _has_begun(folder):
            console.print("interrupted; everything that ended is kept. Go on with:")
            console.print(
                f"  fer-tune resume {shlex.quote(str(folder))}", highlight=False, soft_wrap=True
            )
        else:
            console.print("interrupted before the search began")
        raise


def _has_begun(folder: Place) -> bool:
    from fer_tune.tuning.events import has_log

    try:
        return has_log(folder)
    except OSError:
        return True  # the store is away; the command finds out


def _show_plan(space: SearchSpace, data: Place, console: Console) -> None:
    from rich.table import Table

    from fer_tune.data.at_url import index_at
    from fer_tune.space import plan
    from fer_tune.tuning.preparation import splits_of

    split = splits_of(space, index_at(data))
    table = Table(box=None, show_header=False, pad_edge=False)
    pictures = (
        f"{len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test"
    )
    for label, text in [*plan(space).rows(), ("pictures", pictures)]:
        table.add_row(label, text)
    console.print(f"[bold]{space.name}[/]: {space.purpose}", highlight=False)
    console.print(table)
