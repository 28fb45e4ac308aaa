"""A whole search: prepared, run through Ray Tune, confirmed, closed; and taken up again."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.errors import ResultsError
from fer_tune.features import bank_folder
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.storage import Place, UrlPath, address, place
from fer_tune.tuning.claim import Claim
from fer_tune.tuning.depot import open_depot
from fer_tune.tuning.engine import Engine, ray_session
from fer_tune.tuning.events import EventLog, History
from fer_tune.tuning.faults import disk_fault
from fer_tune.tuning.fetched import reopened
from fer_tune.tuning.interruption import Interruption
from fer_tune.tuning.logs import log_file
from fer_tune.tuning.manifest import first_manifest, identity
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.preparation import (
    asked_at_once,
    bounded,
    check_log,
    check_weights,
    make_folder,
    only_writer,
    open_log,
    splits_of,
)
from fer_tune.tuning.resuming import extended, tell_changed_versions, unchanged_space
from fer_tune.tuning.search import Search, sitting
from fer_tune.tuning.settings import WorkerSettings, trial_context
from fer_tune.tuning.stages import confirm, explore
from fer_tune.tuning.working import JOURNAL_FILE, working_folder


def run_search(
    space: SearchSpace,
    dataset: PackedDataset,
    folder: Place | str,
    options: SearchOptions,
    console: Console,
    *,
    data: UrlPath | None = None,
    command_began: float | None = None,
) -> Results:
    """Searches, confirms and records everything under ``folder``, a path or a URL.

    Args:
        data: the URL that ``dataset`` is a copy of; None where it is no copy.
        command_began: seconds since the epoch when the user's command started, for the start-up
            cost; now by default.

    Raises:
        UserError: the space, the data, the weights, the folder or the machine do not fit;
            raised before any trial starts, with nothing half-written. Or the disk refuses.
        KeyboardInterrupt: the search can be taken up again by :func:`resume_search`.
    """
    began, folder = command_began or time.time(), place(folder)
    split = splits_of(space, dataset)
    check_weights(space)
    make_folder(folder)
    results = Results(folder)
    with (
        _held(folder) as (claim, working),
        ray_session(bounded(options, space)) as engine,
    ):
        asked = asked_at_once(engine, space)
        manifest = first_manifest(space, dataset, split, began, data)
        try:
            results.write_manifest(manifest)
            log = EventLog.begin(folder, identity(manifest), claim=claim)
        except OSError as error:
            raise disk_fault(error, folder) from error
        history = History.read(folder)
        search = _search(space, dataset, results, log, history, options, console, asked, working)
        _greet(search, engine)
        with sitting(search, began):
            _finish(search)
    return results


def resume_search(
    folder: Place | str,
    options: SearchOptions,
    console: Console,
    *,
    data: Place | None = None,
    extend: Sequence[str] = (),
    command_began: float | None = None,
) -> Results:
    """Takes a search up again where it was, or with a larger budget.

    What has ended is not repeated, what was running goes on from its last epoch.

    Args:
        data: where the packed dataset is now, a path or a URL; by default where it was.
        extend: ``trials=N`` (in all) or ``wall_time=T``, which must be more than before.

    Raises:
        ResultsError: the folder is no search's, in use, or its search space was changed.
        DataError, WeightsError: the dataset or the weights are not there, or are others.
        KeyboardInterrupt: it can be taken up again.
    """
    began, folder = command_began or time.time(), place(folder)
    results = Results.open(folder)
    check_log(folder)
    with _held(folder) as (claim, working):
        history, manifest = History.read(folder), results.manifest()
        space = unchanged_space(manifest, history, folder)
        larger = extended(space, history, extend) if extend else None
        if manifest["state"] == "finished" and history.searched and larger is None:
            console.print(
                "This search has finished. More trials: --extend trials=N. "
                f"More seeds: fer-tune confirm {shlex.quote(str(folder))} --seeds N.",
                highlight=False,
                soft_wrap=True,
            )
            return results
        dataset = _dataset(space, manifest, history, data, console)
        tell_changed_versions(manifest, console)
        space = larger or space
        with ray_session(bounded(options, space)) as engine:
            asked = asked_at_once(engine, space)
            log = open_log(folder, history, claim)
            search = _search(
                space, dataset, results, log, history, options, console, asked, working
            )
            _greet(search, engine)
            with sitting(search, began):
                if larger is not None:
                    budget = space.as_dict()["budget"]
                    log.append("extended", budget=budget)
                    history.extend(budget)
                _note_extension(search)
                search.recorder().repair()
                _finish(search)
    return results


def confirm_more(
    folder: Place | str,
    seeds: int,
    options: SearchOptions,
    console: Console,
    data: Place | None = None,
) -> Results:
    """Adds confirmation seeds up to ``seeds`` per choice, without choosing again.

    Args:
        data: where the packed dataset is now, a path or a URL; by default where it was.

    Raises:
        ResultsError: the search has not come to its choice, or ``seeds`` is below 2.
        DataError, WeightsError: the dataset or the weights are not there.
    """
    folder = place(folder)
    results = Results.open(folder)
    if seeds < 2:
        raise ResultsError(
            "confirmation needs at least 2 seeds: one has no spread",
            where="--seeds",
            value=seeds,
        )
    began = time.time()
    check_log(folder)
    with _held(folder) as (claim, working):
        history, manifest = History.read(folder), results.manifest()
        if not history.searched:
            raise ResultsError(
                "this search did not run to its end, so it has chosen nothing to confirm",
                where=str(folder),
                value=manifest["state"],
                remedy=f"Finish it first: fer-tune resume {shlex.quote(str(folder))}",
            )
        space = unchanged_space(manifest, history, folder)
        dataset = _dataset(space, manifest, history, data, console)
        with ray_session(bounded(options, space)) as engine:
            asked = asked_at_once(engine, space)
            log = open_log(folder, history, claim)
            search = _search(
                space, dataset, results, log, history, options, console, asked, working
            )
            with sitting(search, began):
                search.recorder().repair()
                confirm(search, seeds)
    return results


@contextmanager
def _held(folder: Place) -> Iterator[tuple[Claim | None, Path]]:
    """The results folder for this process alone: its claim, and the folder to work in."""
    with only_writer(folder) as claim, working_folder(folder, claim) as working, log_file(working):
        yield claim, working


def _dataset(
    space: SearchSpace,
    manifest: Mapping[str, Any],
    history: History,
    data: Place | None,
    console: Console,
) -> PackedDataset:
    """The dataset of a search; it and the weights must be those that the search began with."""
    check_weights(space, manifest)  # first: a dataset may have to be fetched
    where = place(manifest["dataset"]["path"]) if data is None else data
    return reopened(where, history.identity["fingerprint"], console, named=data is not None)


def _search(
    space: SearchSpace,
    dataset: PackedDataset,
    results: Results,
    log: EventLog,
    history: History,
    options: SearchOptions,
    console: Console,
    asked: int,
    working: Path,
) -> Search:
    context = trial_context(space, dataset, options, options.bank or bank_folder())
    return Search(
        space=space,
        dataset=dataset,
        results=results,
        working=working,
        log=log,
        history=history,
        settings=WorkerSettings(
            context=context,
            results=address(results.root),
            depot=open_depot(space, dataset) if options.address else None,
        ),
        console=console,
        interruption=Interruption(console),
        asked=asked,
        shows_progress=options.verbosity == "normal",
    )


def _finish(search: Search) -> None:
    """Whatever is left to do of a search."""
    results = search.results
    if not search.history.searched:
        explore(search)
    manifest = results.manifest()
    if manifest["startup_seconds"] is None:
        results.update_manifest(startup_seconds=_startup(results, manifest["started"]))
    seeds = max(search.space.confirm.seeds, manifest.get("confirm_asked") or 0)
    if seeds:
        confirm(search, seeds)


def _note_extension(search: Search) -> None:
    """Brings the manifest after the log: what was chosen under a smaller budget is void.

    Called at every resume, as a kill may have come between the two.
    """
    space, manifest = search.history.space, search.results.manifest()
    if manifest["space"]["budget"] == space["budget"]:
        return
    superseded = manifest["superseded"]
    if manifest["choice_frozen_at"] is not None:
        before = {key: manifest[key] for key in ("choices", "choice_frozen_at")}
        superseded = [*superseded, before]
    search.results.update_manifest(
        space=space, choices=[], choice_frozen_at=None, superseded=superseded
    )


def _greet(search: Search, engine: Engine) -> None:
    console, folder = search.console, search.results.root
    console.print(f"[bold]{search.space.name}[/]: {search.space.purpose}", highlight=False)
    for label, text in (
        ("results", str(folder)),
        ("dashboard", engine.dashboard or "none"),
        ("TensorBoard", f"tensorboard --logdir {search.working / 'tensorboard'}"),
        ("Optuna", f"optuna-dashboard {search.working / JOURNAL_FILE}"),
    ):
        console.print(f"  {label:<12} {text}", highlight=False, soft_wrap=True)
    trials = search.history.trials
    if search.history.sittings:
        ended = sum(run.ended for run in trials)
        console.print(
            f"  {'resumed':<12} {ended} trials ended, {len(trials) - ended} go on", highlight=False
        )


def _startup(results: Results, began: float) -> float | None:
    started = results.read("trials")["started"].dropna()
    return float(started.min()) - began if len(started) else None
