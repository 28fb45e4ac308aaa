"""The commands `search`, `resume` and `confirm`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from fer_tune.cli import BEGAN
from fer_tune.cli.reporting import show_report
from fer_tune.console import plain_table, say, styled
from fer_tune.errors import UserError
from fer_tune.escaping import LineFormatter, lines, shell_word
from fer_tune.process.signals import TerminatedError
from fer_tune.storage import AnyPath, UrlPath, any_path, is_url

#: Exit code of `search --or-resume` that the same command continues; EX_TEMPFAIL of sysexits.h.
RESUMABLE = 75
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
    *,
    dry_run: bool,
    or_resume: bool,
    warm_start: list[str],
    plan: str | None = None,
) -> None:
    """The `search` command."""
    from fer_tune.space import load

    if plan is not None:
        from fer_tune.cli.planning.saved import read_plan

        saved = read_plan(any_path(plan), name)
        overrides = [*saved.overrides, *overrides]
        options = replace(options, prediction=saved.prediction)
    space = load(name, overrides)
    if options.prediction is not None:  # an extension may enlarge the budget later
        trials = {"trials": space.budget.trials}
        options = replace(options, prediction={**options.prediction, **trials})
    with _terminal(options) as console:
        if dry_run:
            _show_plan(space, any_path(data), console, warm_start)
        elif or_resume:
            _run_or_resume(space, any_path(data), results, options, console, warm_start)
        else:
            folder = any_path(results) if results else default_folder(space.name)
            _run(space, any_path(data), folder, options, console, warm_start)


def _run(
    space: SearchSpace,
    where: AnyPath,
    folder: AnyPath,
    options: SearchOptions,
    console: Console,
    warm_start: list[str],
) -> None:
    """The `search` command, which starts a new search."""
    from fer_tune.tuning.files.dataset_cache import open_dataset

    if isinstance(where, UrlPath):
        _check_before_fetching(space, folder, options, console)
    dataset = open_dataset(where, console)

    from fer_tune.tuning.run import run_search

    with _concluding(folder, options, console):
        run_search(
            space,
            dataset,
            folder,
            options,
            console,
            data=where if isinstance(where, UrlPath) else None,
            command_began=BEGAN,
            warm_start=warm_start,
        )


def _run_or_resume(
    space: SearchSpace,
    data: AnyPath,
    results: str | None,
    options: SearchOptions,
    console: Console,
    warm_start: list[str],
) -> None:
    """The `search` command with --or-resume, which a launcher may repeat until it exits with 0."""
    if results is None:
        raise UserError(
            "--or-resume requires --results",
            remedy="Name the folder or URL that every repetition of the command writes to",
        )
    with _resumable():
        from fer_tune.tuning.rerun import search_or_resume

        folder = any_path(results)
        with _concluding(folder, options, console):
            search_or_resume(
                space, data, folder, options, console, command_began=BEGAN, warm_start=warm_start
            )


@contextmanager
def _resumable() -> Iterator[None]:
    """Ends with :data:`RESUMABLE` if the same command, run again, would continue."""
    try:
        yield
    except (KeyboardInterrupt, TerminatedError):
        raise typer.Exit(RESUMABLE) from None
    except UserError as error:
        if not error.temporary:
            raise
        print(lines(f"fer-tune: {error}"), file=sys.stderr)
        raise typer.Exit(RESUMABLE) from None


def run_resume(
    results: str,
    extend: list[str],
    data: str | None,
    options: SearchOptions,
) -> None:
    """The `resume` command."""
    from fer_tune.tuning.run import resume_search

    folder, where = any_path(results), None if data is None else any_path(data)
    with _terminal(options) as console, _concluding(folder, options, console):
        resume_search(folder, options, console, data=where, extend=extend, command_began=BEGAN)


def run_confirm(
    results: str,
    seeds: int | None,
    data: str | None,
    options: SearchOptions,
    *,
    keep_models: bool,
) -> None:
    """The `confirm` command."""
    if seeds is None and not keep_models:
        raise UserError("missing option --seeds", remedy="Add --seeds N, or --keep-models")
    from fer_tune.tuning.run import confirm_more

    folder, where = any_path(results), None if data is None else any_path(data)
    with _terminal(options) as console, _concluding(folder, options, console):
        confirm_more(folder, seeds, options, console, where, keep_models=keep_models)


def _check_before_fetching(
    space: SearchSpace, folder: AnyPath, options: SearchOptions, console: Console
) -> None:
    """Checks that need no pictures, before they are fetched."""
    from fer_tune.space.plan import resolved_sampler
    from fer_tune.tuning.log.folder import check_unused
    from fer_tune.tuning.preparation import check_bank, check_weights
    from fer_tune.tuning.studies.extras import check_installed

    check_unused(folder)
    check_installed(resolved_sampler(space))
    check_weights(space)
    check_bank(options, console)


def no_result(folder: AnyPath) -> str:
    """Why a search has no result, if none of its trials was completed; otherwise empty."""
    from fer_tune.records import ELIGIBLE, Results
    from fer_tune.tuning.log.log_file import LOG_FILE

    trials = Results(folder).read("trials")
    states = trials.loc[trials["cohort"] != "confirm", "state"]
    if states.isin(ELIGIBLE).any():
        return ""
    counts = states.value_counts().items()
    ends = ", ".join(f"{count} {state}" for state, count in counts) or "none was started"
    files = [folder / LOG_FILE, *([folder / "errors"] if "failed" in set(states) else [])]
    return (
        f"{folder}: no trial was completed ({ends}), so this search has no result. "
        f"The reasons are in {' and '.join(map(str, files))}"
    )


def results_root() -> AnyPath:
    """Where results folders are made by default."""
    return any_path(os.environ.get(RESULTS_VARIABLE) or "results")


def default_folder(name: str) -> AnyPath:
    """The default results folder of a search with that name."""
    return results_root() / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


@contextmanager
def _terminal(options: SearchOptions) -> Iterator[Console]:
    """The console of a search; what is logged meanwhile is shown too, as far as it is asked for."""
    import logging

    from fer_tune.tuning.log.log_file import FORMAT, LOGGER

    console = Console(quiet=options.verbosity == "quiet")
    if options.verbosity == "normal":
        yield console
        return
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(FORMAT, datefmt="%H:%M:%S"))
    handler.setLevel(logging.WARNING if options.verbosity == "quiet" else logging.DEBUG)
    logger = logging.getLogger(LOGGER)
    logger.addHandler(handler)
    try:
        yield console
    finally:
        logger.removeHandler(handler)


@contextmanager
def _concluding(folder: AnyPath, options: SearchOptions, console: Console) -> Iterator[None]:
    """Writes and shows the report at the end; after Ctrl-C or another signal, prints how to resume.

    A search without a result ends with exit code 1.
    """
    try:
        yield
    except (KeyboardInterrupt, TerminatedError):
        if _has_begun(folder):
            say(console, "interrupted; all results so far are kept. Resume with:")
            say(console, f"  fer-tune resume {shell_word(folder)}")
        else:
            say(console, "interrupted before the search began")
        raise
    show_report([folder], briefly=options.verbosity == "quiet")
    if options.verbosity != "quiet":
        _show_use(folder, console)
    if text := no_result(folder):
        print(lines(f"fer-tune: {text}"), file=sys.stderr)
        raise typer.Exit(1)


def _show_use(folder: AnyPath, console: Console) -> None:
    """Prints the commands that use the better model, if models were kept."""
    from fer_tune.records import Results

    models = folder / "models"
    if not (models.is_dir() and any(not m.name.startswith(".") for m in models.iterdir())):
        return
    data = str((Results(folder).manifest().get("dataset") or {}).get("path") or "")
    here = f"{os.getcwd()}{os.sep}"
    data = data.removeprefix(here)
    pictures = "PICTURES" if not data or is_url(data) else shell_word(data)
    say(console, "use the model of the arm that is better on validation:")
    say(console, f"  fer-tune predict {shell_word(folder)} {pictures}")
    say(console, f"  fer-tune evaluate {shell_word(folder)} --data {shell_word(data or 'DATA')}")


def _has_begun(folder: AnyPath) -> bool:
    from fer_tune.tuning.log.events import has_log

    try:
        return has_log(folder)
    except OSError:
        return True  # the store is unavailable; the command reports it


def _show_plan(space: SearchSpace, data: AnyPath, console: Console, warm_start: list[str]) -> None:
    from fer_tune.data.at_url import index_at
    from fer_tune.space import plan
    from fer_tune.tuning.settings import splits_of
    from fer_tune.tuning.studies.warm_start import earlier_trials

    index = index_at(data)
    split = splits_of(space, index)
    earlier = earlier_trials(space, index.fingerprint, warm_start)
    each = f"{len(earlier) // len(space.compare.arms)} earlier trials of each arm"
    pictures = (
        f"{len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test"
    )
    warm = [("warm start", each)] if earlier else []
    table = plain_table([*plan(space).rows(), *warm, ("pictures", pictures)])
    say(console, styled((space.name, "bold"), f": {space.purpose}"), table, wrap=True)
