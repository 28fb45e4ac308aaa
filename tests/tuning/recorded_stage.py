"""A stage of recorded runs on whatever Ray this process is connected to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_tune.records import Results
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.monitor.recorder import Recorder
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.raytune.replay import replay_settings
from fer_tune.tuning.raytune.tune_runner import run_phase
from fer_tune.tuning.raytune.worker.runs import RunFactory


def run_of(number: int) -> Assignment:
    """A run of a small configuration, of the two arms in turn."""
    arm = ("densenet161", "resnet152")[number % 2]
    return Assignment(
        number=number,
        arm=arm,
        replicate=0,
        cohort="random",
        seed=number,
        weights_seed=0,
        view_seed=0,
        config=TrialConfig(backbone=arm, unfreeze_depth=0, crop_size=32, lr_head=1e-3),
    )


def play_runs(
    space: SearchSpace,
    folder: Path,
    count: int,
    make_run: RunFactory,
    *,
    asked: int,
    callbacks: list[Any],
    file_server: Any = None,
    console: Console | None = None,
    **context: Any,
) -> Results:
    """Plays ``count`` runs to their end; ``context`` changes what all of them share."""
    results = Results(folder)
    folder.mkdir()
    log = EventLog.begin(folder, {"space": space.as_dict()})
    recorder = Recorder(results, log, History.read(folder), classes=("x", "y"), gpu=0.0, cpu=1.0)
    settings = replay_settings(space, folder)
    run_phase(
        space,
        replace(settings, context=replace(settings.context, **context), file_server=file_server),
        name="search",
        asked=asked,
        callbacks=[recorder, *callbacks],
        interruption=Interruption(Console(quiet=True)),
        runs=[run_of(number) for number in range(count)],
        make_run=make_run,
        console=console,
    )
    return results
