"""A whole search: prepared, run through Ray Tune, confirmed, closed."""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_tune.data import PackedDataset, Split, cut
from fer_tune.errors import EnvironmentFault, ResultsError
from fer_tune.features import bank_folder
from fer_tune.models import backbone, locate
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.asha import StudyAsha, make_scheduler
from fer_tune.tuning.closing import close_confirmation
from fer_tune.tuning.confirmation import assignments, choose, slowest_first
from fer_tune.tuning.engine import dashboard_url, ray_session, slots
from fer_tune.tuning.manifest import finished, first_manifest
from fer_tune.tuning.mirrors import Journal, TensorBoard
from fer_tune.tuning.progress import Progress
from fer_tune.tuning.recorder import Recorder
from fer_tune.tuning.searcher import StudySearcher
from fer_tune.tuning.settings import SearchOptions, WorkerSettings, trial_context
from fer_tune.tuning.stage import run_stage


def run_search(
    space: SearchSpace,
    dataset: PackedDataset,
    folder: Path,
    options: SearchOptions,
    console: Console,
    *,
    command_began: float | None = None,
) -> Results:
    """Searches, confirms and records everything under ``folder``.

    Args:
        command_began: seconds since the epoch when the user's command started, for the start-up
            cost; now by default.

    Raises:
        UserError: the space, the data, the weights, the folder or the machine do not fit;
            raised before any trial starts, with nothing half-written.
    """
    began = time.time()
    split = prepare(space, dataset, folder)
    with ray_session(_bounded(options, space)) as ray:
        concurrent = _slots(ray, space)
        results = Results(folder)
        manifest = first_manifest(space, dataset, split, command_began or began)
        results.write_manifest(manifest)
        _greet(console, space, folder, dashboard_url(ray))
        try:
            _search(space, dataset, results, options, console, concurrent)
            results.update_manifest(startup_seconds=_startup(results, command_began or began))
            if space.confirm.seeds:
                _confirm(space, dataset, results, options, console, concurrent)
        except KeyboardInterrupt:
            results.update_manifest(state="interrupted", ended=time.time())
            raise
    results.update_manifest(**finished(command_began or began))
    return results


def confirm_more(
    folder: Path, seeds: int, options: SearchOptions, console: Console, data: Path | None = None
) -> Results:
    """Adds confirmation seeds up to ``seeds`` per choice, without choosing again.

    Args:
        data: where the packed dataset is now; by default where it was.

    Raises:
        ResultsError: no choice is frozen yet and none can be made.
    """
    results = Results.open(folder)
    manifest = results.manifest()
    space = SearchSpace.from_dict(manifest["space"])
    dataset = PackedDataset.open(data or Path(manifest["dataset"]["path"]))
    if dataset.fingerprint != manifest["dataset"]["fingerprint"]:
        raise ResultsError(
            "the dataset is not the one that this search ran on",
            where=str(dataset.root),
            value=dataset.fingerprint,
            remedy=f"Give the one with fingerprint {manifest['dataset']['fingerprint']}",
        )
    with ray_session(_bounded(options, space)) as ray:
        _confirm(space, dataset, results, options, console, _slots(ray, space), seeds)
    return results


def prepare(space: SearchSpace, dataset: PackedDataset, folder: Path) -> Split:
    """Checks everything that can be checked before Ray starts; returns the splits."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ResultsError(
            "the results folder is not empty",
            where=str(folder),
            remedy="Give a new one with --results",
        )
    split = cut(
        dataset,
        validation_share=space.data.validation_share,
        seed=space.seeds.split,
        leaks=space.data.leaks,
        conflicts=space.data.conflicts,
    )
    for arm in space.compare.arms:
        locate(backbone(space.config(arm, {}).backbone), space.weights)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").write_text("")
        (folder / ".writable").unlink()
    except OSError as error:
        raise ResultsError(
            f"cannot write here: {error.strerror}",
            where=str(folder),
            remedy="Give another folder with --results",
        ) from None
    return split


def _bounded(options: SearchOptions, space: SearchSpace) -> SearchOptions:
    """A Ray started here holds no more CPUs than ``max_concurrent`` trials may use.

    So that the bound holds although twice as many trials are asked for as can run.
    """
    limit = space.resources.max_concurrent
    if options.address or limit is None:
        return options
    have = options.cpus or len(os.sched_getaffinity(0))
    return replace(options, cpus=min(have, math.ceil(limit * space.resources.cpu)))


def _slots(ray: Any, space: SearchSpace) -> int:
    fit = slots(ray, space.resources.cpu, space.resources.gpu)
    if fit < 1:
        have = {k: v for k, v in ray.cluster_resources().items() if k in ("CPU", "GPU")}
        raise EnvironmentFault(
            f"a trial asks for {space.resources.cpu:g} CPU and {space.resources.gpu:g} GPU, "
            f"and the cluster has {have}",
            where="resources",
            remedy="Lower resources.cpu or resources.gpu with --set, or join more machines",
        )
    return min(fit, space.resources.max_concurrent or fit)


def _greet(console: Console, space: SearchSpace, folder: Path, url: str | None) -> None:
    console.print(f"[bold]{space.name}[/]: {space.purpose}", highlight=False)
    for label, text in (
        ("results", str(folder)),
        ("dashboard", url or "none"),
        ("TensorBoard", f"tensorboard --logdir {folder / 'tensorboard'}"),
        ("Optuna", f"optuna-dashboard {folder / 'optuna.journal'}"),
    ):
        console.print(f"  {label:<12} {text}", highlight=False, soft_wrap=True)


def _startup(results: Results, began: float) -> float | None:
    started = results.read("trials")["started"].dropna()
    return float(started.min()) - began if len(started) else None


# -- the two stages through Ray Tune ----------------------------------------------------------


def _search(
    space: SearchSpace,
    dataset: PackedDataset,
    results: Results,
    options: SearchOptions,
    console: Console,
    concurrent: int,
) -> None:
    scheduler = make_scheduler(
        space.scheduler.kind,
        max_epochs=space.budget.max_epochs,
        grace_epochs=space.scheduler.grace_epochs,
        reduction_factor=space.scheduler.reduction_factor,
    )
    searcher = StudySearcher(space, deadline_s=space.budget.wall_time)
    recorder = _recorder(space, dataset, results, scheduler)
    run_stage(
        space,
        _settings(space, dataset, results, options),
        name="search",
        concurrent=concurrent,
        callbacks=[
            recorder,
            TensorBoard(results.root / "tensorboard"),
            Journal(results.root / "optuna.journal", searcher),
            Progress(console, total=space.budget.trials, title="search"),
        ],
        scheduler=scheduler,
        searcher=searcher,
    )


def _confirm(
    space: SearchSpace,
    dataset: PackedDataset,
    results: Results,
    options: SearchOptions,
    console: Console,
    concurrent: int,
    seeds: int | None = None,
) -> None:
    seeds = seeds or space.confirm.seeds
    choices = frozen_choices(results, space)
    done = len(results.manifest()["confirm_seeds"])
    if not choices:
        console.print("No trial ran to its end, so there is nothing to confirm.")
        return
    if done >= seeds:
        console.print(f"All {seeds} seeds are confirmed already.")
        return
    first = int(results.read("trials")["trial"].max()) + 1
    ordered = slowest_first(choices, results.read("epochs"))
    runs = assignments(space, ordered, range(done, seeds), first)
    if results.manifest()["first_test_read_at"] is None:
        results.update_manifest(first_test_read_at=time.time())
    recorder = _recorder(space, dataset, results, None)
    run_stage(
        space,
        _settings(space, dataset, results, options),
        name=f"confirm-{done}-{seeds}",
        concurrent=concurrent,
        callbacks=[
            recorder,
            TensorBoard(results.root / "tensorboard"),
            Progress(console, total=len(runs), title="confirmation"),
        ],
        runs=runs,
    )
    close_confirmation(space, dataset, results, recorder.latencies)
    results.update_manifest(confirm_seeds=list(range(seeds)))


def frozen_choices(results: Results, space: SearchSpace) -> list[dict[str, Any]]:
    """The choice of every study; made and frozen at the first call, read at every later one."""
    manifest = results.manifest()
    if manifest["choice_frozen_at"] is None:
        choices = choose(results.read("trials"), space.metric)
        manifest = results.update_manifest(choices=choices, choice_frozen_at=time.time())
    chosen: list[dict[str, Any]] = manifest["choices"]
    return chosen


def _settings(
    space: SearchSpace, dataset: PackedDataset, results: Results, options: SearchOptions
) -> WorkerSettings:
    bank = options.bank or bank_folder()
    context = trial_context(space, dataset, options, bank)
    return WorkerSettings(context=context, results=str(results.root.resolve()))


def _recorder(
    space: SearchSpace, dataset: PackedDataset, results: Results, scheduler: Any
) -> Recorder:
    return Recorder(
        results,
        classes=dataset.classes,
        gpu=space.resources.gpu,
        cpu=space.resources.cpu,
        scheduler=scheduler if isinstance(scheduler, StudyAsha) else None,
    )
