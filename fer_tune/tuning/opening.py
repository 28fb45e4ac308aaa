"""A search as a session begins: its settings, and what the console says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from fer_tune.console import say, styled
from fer_tune.data import PackedDataset
from fer_tune.escaping import shell_word
from fer_tune.features.folder import bank_folder
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.storage import address
from fer_tune.training.device.precision import PrecisionChoice
from fer_tune.tuning.bank_limits import bank_limits, context_fields
from fer_tune.tuning.concurrency import expects_machines
from fer_tune.tuning.files.file_server import start_file_server
from fer_tune.tuning.files.local_files import JOURNAL_FILE
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.resume_checks import report_older_training
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.precision import search_precision
from fer_tune.tuning.preparation import report_idle_gpu
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.raytune.runtime import RayConnection
from fer_tune.tuning.session import Search
from fer_tune.tuning.settings import WorkerSettings, given_credentials, trial_context


def make_search(
    space: SearchSpace,
    dataset: PackedDataset,
    results: Results,
    log: EventLog,
    history: History,
    options: SearchOptions,
    console: Console,
    asked: int,
    local_folder: Path,
    engine: RayConnection,
    measured: Callable[[], PrecisionChoice] | None = None,
) -> Search:
    """The search of this session, with what is chosen once for all of them.

    Args:
        asked: runs that are running or pending at the same time.
        measured: waits for the precision that is being measured here.
    """
    report_older_training(history, console)
    report_idle_gpu(space, engine.have.get("GPU", 0.0), console)
    bank, version = options.bank or bank_folder(), history.training_version
    context = trial_context(space, dataset, options, bank, version, history.audit_version)
    can_grow = expects_machines(engine, space)
    precision = search_precision(
        space,
        results,
        console,
        resumed=bool(history.sessions),
        joined=options.address is not None,
        can_grow=can_grow,
        measured=measured,
    )
    limits = bank_limits(options, space, history, engine)
    context = replace(context, precision=precision, **context_fields(limits, space))
    return Search(
        space=space,
        dataset=dataset,
        results=results,
        local_folder=local_folder,
        log=log,
        history=history,
        settings=WorkerSettings(
            context=context,
            results=address(results.root),
            file_server=start_file_server(space, dataset) if options.address else None,
            credentials=given_credentials(),
            checkpoint_interval_s=options.checkpoint_interval_s,
        ),
        console=console,
        interruption=Interruption(console),
        asked=asked,
        slots=_slots(space, engine, asked),
        shows_progress=options.verbosity == "normal",
        can_grow=can_grow,
    )


def _slots(space: SearchSpace, engine: RayConnection, asked: int) -> int:
    """Runs at a time, once the cluster has grown; where that is unknown, those asked for."""
    fit = engine.slots(space.resources.cpu, space.resources.gpu) or asked
    return max(1, min(fit, space.resources.max_concurrent or fit))


def print_header(search: Search, engine: RayConnection) -> None:
    """Says what runs, where its results are, and how to watch it."""
    console, folder = search.console, search.results.root
    say(console, styled((search.space.name, "bold"), f": {search.space.purpose}"), wrap=True)
    for label, text in (
        ("results", str(folder)),
        ("dashboard", _dashboard_words(engine)),
        ("TensorBoard", f"tensorboard --logdir {shell_word(search.local_folder / 'tensorboard')}"),
        ("Optuna", f"optuna-dashboard {shell_word(search.local_folder / JOURNAL_FILE)}"),
    ):
        say(console, f"  {label:<12} {text}")
    if chosen := search.results.manifest().get("precision"):
        say(console, f"  {'precision':<12} {chosen['chosen']}: {chosen['reason']}")
    trials = search.history.trials
    if search.history.sessions:
        ended = sum(run.ended for run in trials)
        say(console, f"  {'resumed':<12} {ended} trials ended, {len(trials) - ended} continue")


def _dashboard_words(engine: RayConnection) -> str:
    if engine.dashboard is None:
        return "none"
    token = f", with the token in {engine.token_file}" if engine.token_file else ""
    return engine.dashboard + token
