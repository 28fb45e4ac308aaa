"""One phase of a search through Ray Tune: a searcher's trials, or a fixed list of runs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from rich.console import Console

from fer_tune import ray_private
from fer_tune.space import SearchSpace
from fer_tune.storage import remove_tree
from fer_tune.storage.links import make_folder_below
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.disk_faults import disk_error
from fer_tune.tuning.raytune.callback import DriverCallback, ForgetEnded
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.raytune.nodes.resources import bundle_of
from fer_tune.tuning.raytune.placement import Placement
from fer_tune.tuning.raytune.trainable import TrialActor
from fer_tune.tuning.raytune.worker.runs import RunFactory
from fer_tune.tuning.settings import CREDENTIALS, WorkerSettings
from fer_tune.tuning.studies.searcher import StudySearcher

#: A trial whose process dies is restarted from its last epoch this many times before it fails.
MAX_FAILURES = 2


def run_phase(
    space: SearchSpace,
    settings: WorkerSettings,
    *,
    name: str,
    asked: int,
    callbacks: list[Any],
    interruption: Interruption,
    scheduler: Any = None,
    searcher: StudySearcher | None = None,
    runs: list[Assignment] | None = None,
    make_run: RunFactory | None = None,
    local_folder: Path | None = None,
    console: Console | None = None,
    can_grow: bool = False,
) -> None:
    """Runs until the ``searcher`` is finished, or every one of ``runs`` has ended.

    Args:
        name: of Ray's own folder under ``ray/`` in the results.
        asked: runs that are running or pending at the same time.
        interruption: ends the phase at Ctrl-C.
        make_run: builds a run on the worker; by default one that trains.
        local_folder: parent of Ray's own folder; by default the results folder, which must be on a
            path.
        console: prints which machines are avoided, and what trials wait for.
        can_grow: whether an autoscaler may add a machine that can run a trial.

    Raises:
        EnvironmentFault: trials failed on every machine, or no machine is left that can run one.
        OSError: the results folder cannot be written.
        KeyboardInterrupt: at Ctrl-C.
    """
    assert (searcher is None) != (runs is None), "give either a searcher or runs"
    ray_private.passed_variables.difference_update(CREDENTIALS)  # they are in the settings
    # For PyTorch Lightning; with it, Ray starts processes anew instead of using those that it has.
    ray_private.set_variables.clear()
    folder = _empty_ray_folder(local_folder or Path(settings.results))
    resources = bundle_of(space.resources.cpu, space.resources.gpu)
    first: Any = FIFOScheduler
    placement = Placement(scheduler or first(), resources, console, can_grow=can_grow)
    trainable = tune.with_resources(
        tune.with_parameters(TrialActor, settings=settings, make_run=make_run),
        tune.PlacementGroupFactory([resources]),
    )
    # Ray's dashboard shows this name, by default `with_resources.<locals>.ResourceTrainable`.
    trainable.__qualname__ = TrialActor.__qualname__
    tuner = tune.Tuner(
        trainable,
        param_space={"run": tune.grid_search([run.as_dict() for run in runs])} if runs else {},
        tune_config=tune.TuneConfig(
            num_samples=1 if runs else -1,
            search_alg=searcher,
            scheduler=placement,
            max_concurrent_trials=asked,
            reuse_actors=True,
            trial_name_creator=trial_name,
            trial_dirname_creator=_trial_folder,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(folder),
            verbose=0,
            callbacks=[placement.actors, *callbacks, interruption, ForgetEnded()],
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            # Runs write their own checkpoints (checkpoints.py).
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
        ),
    )
    try:
        with ExitStack() as closing, interruption.listening():
            for callback in callbacks:
                if isinstance(callback, DriverCallback):
                    closing.callback(callback.close)
            tuner.fit()
        for callback in callbacks:
            if isinstance(callback, DriverCallback):
                callback.finish()
    except tune.TuneError as error:
        if placement.error is not None:
            raise placement.error from error
        if (disk_failure := disk_error(error)) is not None:
            raise disk_failure from error
        raise


def _empty_ray_folder(local_folder: Path) -> Path:
    """Ray's own folder, emptied: nothing of an earlier phase is needed.

    Raises:
        OSError: the folder cannot be written.
    """
    # Ray treats a relative path as a URL without a scheme.
    folder = local_folder.resolve() / "ray"
    remove_tree(folder)
    make_folder_below(folder.parent, folder)
    return folder


def trial_name(trial: Trial) -> str:
    """``arm/replicate/number``."""
    return Assignment.from_dict(trial.config["run"]).name


def _trial_folder(trial: Trial) -> str:
    return trial_name(trial).replace("/", "_")
