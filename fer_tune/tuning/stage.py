"""One stage of a search through Ray Tune: a searcher's trials, or a fixed list of runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from rich.console import Console

from fer_tune.space import SearchSpace
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.faults import disk_error
from fer_tune.tuning.interruption import Interruption
from fer_tune.tuning.placement import Placement
from fer_tune.tuning.progress import Progress
from fer_tune.tuning.searcher import StudySearcher
from fer_tune.tuning.settings import WorkerSettings
from fer_tune.tuning.trainable import MakeRun, ScoredRun, TrialActor

#: A trial whose process dies is restarted from its last epoch this often before it is failed.
MAX_FAILURES = 2


def run_stage(
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
    make_run: MakeRun = ScoredRun,
    working: Path | None = None,
    console: Console | None = None,
) -> None:
    """Runs until the ``searcher`` is finished, or every one of ``runs`` has ended.

    Args:
        name: of Ray's own folder under ``ray/`` in the results.
        asked: runs asked for at the same time, running or waiting.
        interruption: ends the stage at Ctrl-C.
        make_run: builds a run on the worker; a recording in tests.
        working: where Ray's own folder goes; by default into the results, which must be on a path.
        console: told of machines that are avoided.

    Raises:
        EnvironmentFault: trials failed on every machine.
        OSError: the disk under the results folder refused a write.
        KeyboardInterrupt: at Ctrl-C.
    """
    assert (searcher is None) != (runs is None), "either a searcher or runs"
    # Ray takes a relative path for a URL without a scheme.
    folder = (working or Path(settings.results)).resolve() / "ray"
    # What an earlier stage or sitting left there: Ray's own, of which we read nothing.
    shutil.rmtree(folder, ignore_errors=True)
    resources = {"CPU": space.resources.cpu}
    if space.resources.gpu:
        resources["GPU"] = space.resources.gpu
    placement = Placement(scheduler or FIFOScheduler(), resources, console)  # type: ignore[no-untyped-call]
    trainable = tune.with_resources(
        tune.with_parameters(TrialActor, settings=settings, make_run=make_run),
        tune.PlacementGroupFactory([resources]),
    )
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
            callbacks=[placement.actors, *callbacks, interruption],
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            # Runs write their own checkpoints (checkpoints.py).
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
        ),
    )
    try:
        with interruption.listening():
            tuner.fit()
    except tune.TuneError as error:
        if placement.fault is not None:
            raise placement.fault from error
        if (refused := disk_error(error)) is not None:
            raise refused from error
        raise
    finally:
        for callback in callbacks:
            if isinstance(callback, Progress):
                callback.close()  # Ray does not tell callbacks of an interruption


def trial_name(trial: Trial) -> str:
    """``arm/replicate/number``."""
    return Assignment.from_dict(trial.config["run"]).name


def _trial_folder(trial: Trial) -> str:
    return trial_name(trial).replace("/", "_")
