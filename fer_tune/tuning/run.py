"""A whole search: prepared, run through Ray Tune, confirmed, closed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.errors import ResultsError
from fer_tune.features import bank_folder
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.tuning.asha import StudyAsha, make_scheduler
from fer_tune.tuning.closing import write_floors, write_latency
from fer_tune.tuning.confirmation import choose, missing_runs, slowest_first
from fer_tune.tuning.engine import ray_session
from fer_tune.tuning.manifest import first_manifest
from fer_tune.tuning.mirrors import Journal, TensorBoard
from fer_tune.tuning.preparation import (
    asked_at_once,
    bounded,
    check_dataset,
    check_weights,
    make_folder,
    only_writer,
    splits_of,
)
from fer_tune.tuning.progress import Progress
from fer_tune.tuning.recorder import Recorder
from fer_tune.tuning.searcher import StudySearcher
from fer_tune.tuning.settings import SearchOptions, WorkerSettings, trial_context
from fer_tune.tuning.stage import run_stage


@dataclass(frozen=True, kw_only=True)
class Search:
    """What both stages of a search work with."""

    space: SearchSpace
    dataset: PackedDataset
    results: Results
    settings: WorkerSettings
    console: Console
    asked: int

    def recorder(self, scheduler: Any = None) -> Recorder:
        return Recorder(
            self.results,
            classes=self.dataset.classes,
            gpu=self.space.resources.gpu,
            cpu=self.space.resources.cpu,
            scheduler=scheduler if isinstance(scheduler, StudyAsha) else None,
        )


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
    began = command_began or time.time()
    split = splits_of(space, dataset)
    check_weights(space)
    make_folder(folder)
    results = Results(folder)
    with only_writer(folder), ray_session(bounded(options, space)) as engine:
        search = _search(space, dataset, results, options, console, asked_at_once(engine, space))
        results.write_manifest(first_manifest(space, dataset, split, began))
        _greet(console, space, folder, engine.dashboard)
        with _sitting(results, began):
            _explore(search)
            results.update_manifest(startup_seconds=_startup(results, began))
            if space.confirm.seeds:
                _confirm(search, space.confirm.seeds)
    return results


def confirm_more(
    folder: Path, seeds: int, options: SearchOptions, console: Console, data: Path | None = None
) -> Results:
    """Adds confirmation seeds up to ``seeds`` per choice, without choosing again.

    Args:
        data: where the packed dataset is now; by default where it was.

    Raises:
        ResultsError: the search has not come to its choice, or ``seeds`` is below 2.
        DataError, WeightsError: the dataset or the weights are not there.
    """
    results = Results.open(folder)
    manifest = results.manifest()
    if manifest["state"] != "finished" and manifest["choice_frozen_at"] is None:
        raise ResultsError(
            "this search did not run to its end, so it has chosen nothing to confirm",
            where=str(folder),
            value=manifest["state"],
        )
    if seeds < 2:
        raise ResultsError(
            "confirmation needs at least 2 seeds: one has no spread",
            where="--seeds",
            value=seeds,
        )
    space = SearchSpace.from_dict(manifest["space"])
    dataset = PackedDataset.open(data or Path(manifest["dataset"]["path"]))
    check_dataset(manifest, dataset)
    check_weights(space)
    with only_writer(folder), ray_session(bounded(options, space)) as engine:
        search = _search(space, dataset, results, options, console, asked_at_once(engine, space))
        with _sitting(results, time.time(), earlier=manifest["wall_seconds"] or 0.0):
            _confirm(search, seeds)
    return results


def frozen_choices(results: Results, metric: str) -> list[dict[str, Any]]:
    """The choice of every study; made and frozen at the first call, read at every later one."""
    manifest = results.manifest()
    if manifest["choice_frozen_at"] is None:
        choices = choose(results.read("trials"), metric)
        manifest = results.update_manifest(choices=choices, choice_frozen_at=time.time())
    chosen: list[dict[str, Any]] = manifest["choices"]
    return chosen


def _search(
    space: SearchSpace,
    dataset: PackedDataset,
    results: Results,
    options: SearchOptions,
    console: Console,
    asked: int,
) -> Search:
    context = trial_context(space, dataset, options, options.bank or bank_folder())
    return Search(
        space=space,
        dataset=dataset,
        results=results,
        settings=WorkerSettings(context=context, results=str(results.root.resolve())),
        console=console,
        asked=asked,
    )


@contextmanager
def _sitting(results: Results, began: float, earlier: float = 0.0) -> Iterator[None]:
    """Notes in the manifest how the work inside ended, and how long all sittings took."""
    results.update_manifest(state="running", ended=None)
    state = "interrupted"
    try:
        yield
        state = "finished"
    finally:
        now = time.time()
        results.update_manifest(state=state, ended=now, wall_seconds=earlier + now - began)


def _explore(search: Search) -> None:
    """The first stage: trials, as the studies ask for them."""
    space, root = search.space, search.results.root
    scheduler = make_scheduler(
        space.scheduler.kind,
        max_epochs=space.budget.max_epochs,
        grace_epochs=space.scheduler.grace_epochs,
        reduction_factor=space.scheduler.reduction_factor,
    )
    searcher = StudySearcher(space, deadline_s=space.budget.wall_time)
    run_stage(
        space,
        search.settings,
        name="search",
        asked=search.asked,
        callbacks=[
            search.recorder(scheduler),
            TensorBoard(root / "tensorboard"),
            Journal(root / "optuna.journal", searcher),
            Progress(search.console, total=space.budget.trials, title="search"),
        ],
        scheduler=scheduler,
        searcher=searcher,
    )


def _confirm(search: Search, seeds: int) -> None:
    """The second stage: the frozen choices with ``seeds`` seeds each, scored on test."""
    results, console = search.results, search.console
    choices = frozen_choices(results, search.space.metric)
    if not choices:
        console.print("No trial ran to its end, so there is nothing to confirm.")
        return
    runs = missing_runs(search.space, choices, seeds, results.read("trials"))
    if not runs:
        console.print(f"All {seeds} seeds are confirmed already.")
        return
    if results.manifest()["first_test_read_at"] is None:
        results.update_manifest(first_test_read_at=time.time())
    write_floors(search.space, search.dataset, results)
    recorder = search.recorder()
    run_stage(
        search.space,
        search.settings,
        name=f"confirm-{runs[0].number}",
        asked=search.asked,
        callbacks=[
            recorder,
            TensorBoard(results.root / "tensorboard"),
            Progress(console, total=len(runs), title="confirmation"),
        ],
        runs=slowest_first(runs, choices, results.read("epochs")),
    )
    write_latency(results, recorder.latencies)
    left = missing_runs(search.space, choices, seeds, results.read("trials"))
    results.update_manifest(confirm_seeds=list(range(seeds)))
    if left:
        console.print(
            f"{len(left)} of {len(runs)} confirmation runs have no test score; "
            "the same `fer-tune confirm` runs them again.",
            highlight=False,
        )


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
