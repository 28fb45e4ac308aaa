"""Running, resuming and extending a search, and adding confirmation seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_tune.console import say
from fer_tune.data import PackedDataset
from fer_tune.errors import ResultsError
from fer_tune.escaping import shell_word
from fer_tune.records import Results
from fer_tune.schema.limits import SEEDS
from fer_tune.space import SearchSpace
from fer_tune.space.plan import resolved_sampler
from fer_tune.storage import AnyPath, UrlPath, any_path
from fer_tune.tuning.ahead import prepare_ahead
from fer_tune.tuning.concurrency import limit_cpus, pending_limit
from fer_tune.tuning.files.dataset_cache import reopen_dataset
from fer_tune.tuning.files.local_files import open_local_folder
from fer_tune.tuning.log.disk_faults import reporting_disk
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.folder import check_log, check_unused, make_folder, open_log
from fer_tune.tuning.log.lease import Lease
from fer_tune.tuning.log.log_file import log_file
from fer_tune.tuning.log.manifest import first_manifest, identity
from fer_tune.tuning.log.resume_checks import (
    check_recorded,
    check_unchanged_space,
    extended,
    report_changed_versions,
)
from fer_tune.tuning.log.writer import only_writer
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.preparation import check_bank, check_weights, report_unweighted_classes
from fer_tune.tuning.raytune.runtime import ray_connection
from fer_tune.tuning.settings import splits_of
from fer_tune.tuning.studies.extras import check_installed
from fer_tune.tuning.studies.warm_start import earlier_trials, warm_start_entry


def run_search(
    space: SearchSpace,
    dataset: PackedDataset,
    folder: AnyPath | str,
    options: SearchOptions,
    console: Console,
    *,
    data: UrlPath | None = None,
    command_began: float | None = None,
    patient: bool = False,
    warm_start: Sequence[AnyPath | str] = (),
) -> Results:
    """Searches, confirms and records everything under ``folder``, a path or a URL.

    Args:
        data: the URL that ``dataset`` is a copy of; None where it is no copy.
        command_began: seconds since the epoch when the user's command started, for the start-up
            cost; now by default.
        patient: wait for another process that writes there, as its machine may be down.
        warm_start: results folders of earlier searches whose trials the samplers learn from.

    Raises:
        UserError: the space, the data, the weights, the folder or the machine cannot be used,
            raised before any trial starts; or a disk error. Of a folder that holds a search, also
            one that began while this process waited, BegunError.
        KeyboardInterrupt: the search can be resumed by :func:`resume_search`.
    """
    began, folder = command_began or time.time(), any_path(folder)
    split = splits_of(space, dataset)
    check_installed(resolved_sampler(space))
    earlier = earlier_trials(space, dataset.fingerprint, warm_start)
    check_weights(space)
    check_bank(options, console)
    report_unweighted_classes(space, dataset, split, console)
    make_folder(folder)
    results = Results(folder)
    with (
        _open_exclusively(folder, patient, check_unused) as (lease, local_folder),
        prepare_ahead(space, options, begins=True) as ahead,
        ray_connection(limit_cpus(options, space), console, name=space.name) as engine,
    ):
        from fer_tune.tuning import execution  # imported ahead

        asked = pending_limit(engine, space)
        manifest = {
            **first_manifest(space, dataset, split, began, data, options.prediction),
            **warm_start_entry(earlier, warm_start),
        }
        with reporting_disk(folder):
            results.write_manifest(manifest)
            log = EventLog.begin(folder, identity(manifest, earlier), lease=lease)
        history = History.read(folder)
        search = execution.make_search(
            space,
            dataset,
            results,
            log,
            history,
            options,
            console,
            asked,
            local_folder,
            engine,
            measured=ahead,
        )
        execution.print_header(search, engine)
        with execution.recorded_session(search, began):
            execution.finish(search)
    return results


def resume_search(
    folder: AnyPath | str,
    options: SearchOptions,
    console: Console,
    *,
    data: AnyPath | None = None,
    extend: Sequence[str] = (),
    command_began: float | None = None,
    patient: bool = False,
) -> Results:
    """Resumes a search, or extends it with a larger budget.

    Ended runs are not repeated; unfinished ones continue from their last epoch.

    Args:
        data: where the packed dataset is now, a path or a URL; by default where it was.
        extend: ``trials=N`` (in all), ``wall_time=T``, ``accelerator_hours=H`` or ``money=M``, more
            than before.
        patient: wait for another process that writes there, as its machine may be down.

    Raises:
        ResultsError: not the folder of a search, in use, or its search space was changed.
        DataError, WeightsError: the dataset or the weights are missing or differ.
        KeyboardInterrupt: it can be resumed again.
    """
    began, folder = command_began or time.time(), any_path(folder)
    results = Results.open(folder)
    check_log(folder)
    with _open_exclusively(folder, patient) as (lease, local_folder):
        history, manifest = History.read(folder), results.manifest()
        space = check_unchanged_space(manifest, history, folder)
        larger = extended(space, history, extend) if extend else None
        if manifest.get("state") == "finished" and history.searched and larger is None:
            say(
                console,
                "This search has finished. More trials: --extend trials=N. "
                f"More seeds: fer-tune confirm {shell_word(folder)} --seeds N.",
            )
            return results
        check_recorded(space, manifest, history, folder)
        check_bank(options, console)
        check_installed(resolved_sampler(space))
        dataset = _dataset(space, manifest, history, data, console)
        report_changed_versions(manifest, console)
        space = larger or space
        with (
            prepare_ahead(space, options),
            ray_connection(limit_cpus(options, space), console, name=space.name) as engine,
        ):
            from fer_tune.tuning import execution

            asked = pending_limit(engine, space)
            log = open_log(folder, history, lease)
            search = execution.make_search(
                space, dataset, results, log, history, options, console, asked, local_folder, engine
            )
            if larger is not None:
                execution.check_extension(search)
            execution.print_header(search, engine)
            with execution.recorded_session(search, began):
                execution.resume(search, larger)
    return results


def confirm_more(
    folder: AnyPath | str,
    seeds: int | None,
    options: SearchOptions,
    console: Console,
    data: AnyPath | None = None,
    *,
    keep_models: bool = False,
) -> Results:
    """Adds confirmation seeds up to ``seeds`` per choice, without choosing again.

    Args:
        seeds: None adds none.
        keep_models: train the best runs whose models were not kept again, for their models.
        data: where the packed dataset is now, a path or a URL; by default where it was.

    Raises:
        ResultsError: the search has not made its choice yet, or ``seeds`` is below 2 or above
            what ``fer_tune.schema.limits`` permits.
        DataError, WeightsError: the dataset or the weights are missing.
    """
    folder = any_path(folder)
    results = Results.open(folder)
    if seeds is not None:
        _check_seeds(seeds)
    began = time.time()
    check_log(folder)
    with _open_exclusively(folder) as (lease, local_folder):
        history, manifest = History.read(folder), results.manifest()
        if not history.searched:
            raise ResultsError(
                "this search is not complete, so there is no choice to confirm",
                where=str(folder),
                value=manifest.get("state"),
                remedy=f"Finish it first: fer-tune resume {shell_word(folder)}",
            )
        space = check_unchanged_space(manifest, history, folder)
        check_recorded(space, manifest, history, folder)
        check_bank(options, console)
        dataset = _dataset(space, manifest, history, data, console)
        with (
            prepare_ahead(space, options),
            ray_connection(limit_cpus(options, space), console, name=space.name) as engine,
        ):
            from fer_tune.tuning import execution

            asked = pending_limit(engine, space)
            log = open_log(folder, history, lease)
            search = execution.make_search(
                space, dataset, results, log, history, options, console, asked, local_folder, engine
            )
            with execution.recorded_session(search, began):
                execution.confirm_further(search, seeds, keep_models=keep_models)
    return results


def _check_seeds(seeds: int) -> None:
    if seeds < 2:
        raise ResultsError(
            "confirmation needs at least 2 seeds: the spread of one is unknown",
            where="--seeds",
            value=seeds,
        )
    if seeds > SEEDS:
        raise ResultsError(
            f"confirmation has at most {SEEDS} seeds",
            where="--seeds",
            value=seeds,
            remedy="Use fewer; 5 to 20 are usual",
        )


@contextmanager
def _open_exclusively(
    folder: AnyPath,
    patient: bool = False,
    check: Callable[[AnyPath], None] = lambda folder: None,
) -> Iterator[tuple[Lease | None, Path]]:
    """Locks the results folder; yields its lease and the folder for local files.

    Args:
        check: of the folder, once it is locked and before anything is written.
    """
    with only_writer(folder, patient=patient) as lease:
        check(folder)
        with open_local_folder(folder, lease) as local_folder, log_file(local_folder):
            yield lease, local_folder


def _dataset(
    space: SearchSpace,
    manifest: Mapping[str, Any],
    history: History,
    data: AnyPath | None,
    console: Console,
) -> PackedDataset:
    """The dataset of a search; checks that it and the weights are unchanged."""
    check_weights(space, manifest)  # first: fetching a dataset takes time
    where = any_path(manifest["dataset"]["path"]) if data is None else data
    return reopen_dataset(where, history.identity["fingerprint"], console, named=data is not None)
