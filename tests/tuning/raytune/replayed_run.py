"""A run of recorded epochs, and what a search has of it, without Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import TrialScheduler
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fer_tune.records import Results
from fer_tune.storage import AnyPath
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.monitor.mirrors import TensorBoard
from fer_tune.tuning.monitor.recorder import Recorder
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.trainable import TrialActor
from fer_tune.tuning.studies.asha import StudyAsha
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_checkpoints import RUN, VALUES

EPOCHS = len(VALUES)
TRIAL: Any = SimpleNamespace(config={"run": RUN.as_dict()}, trial_id="x", last_result=None)


def play(*, values: list[float] = VALUES, **how: Any) -> Callable[[Assignment], Recording]:
    return lambda assignment: Recording(values=values, **how)


class Driver:
    """What a search has of a run, without Ray: recorder, ASHA and TensorBoard, from the log.

    Another one on the same folder is the driver of the next session.
    """

    def __init__(self, folder: AnyPath, local: Path, *, gpu: float = 0.0) -> None:
        # Of one second there is one event file in a folder.
        boards = len(list(local.glob("board-*")))
        self.folder, self.local, self._board = folder, local, local / f"board-{boards}"
        if (folder / "events.jsonl").exists():
            self.log = EventLog(folder)
        else:
            self.log = EventLog.begin(folder, {"space": {"budget": {}}})
            self.log.append("asked", planned="tpe", run=RUN.as_dict())
        self.history, self.console = History.read(folder), StringIO()
        self.recorder = Recorder(
            Results(folder),
            self.log,
            self.history,
            classes=("x", "y"),
            gpu=gpu,
            cpu=1.0,
            console=Console(file=self.console, width=400),
        )
        self.asha = StudyAsha(max_epochs=EPOCHS, grace_epochs=2, reduction_factor=2)
        self.asha.replay(self.history.trials)
        self._board.mkdir(parents=True)
        self.board = TensorBoard(self._board, self.history)
        self.recorder.repair()

    @property
    def run(self) -> RunHistory:
        return self.history.runs[RUN.number]

    def receive(self, result: dict[str, Any]) -> bool:
        """Handles a report as Ray passes it on; whether it was the last."""
        if not result["done"]:
            assert self.asha.on_trial_result(None, TRIAL, result) == TrialScheduler.CONTINUE
        else:
            self.asha.on_trial_complete(None, TRIAL, result)
        for callback in (self.recorder, self.board):
            callback.on_trial_result(TRIAL, result=result)
        if result["done"]:
            TRIAL.last_result = result
            for callback in (self.recorder, self.board):
                callback.on_trial_complete(TRIAL)
            self.recorder.finish()
            self.recorder.close()
        return bool(result["done"])


class Machine:
    """Processes that train the run, without Ray."""

    def __init__(self, folder: AnyPath, interval_s: float) -> None:
        space = make_space(budget={"trials": 2, "max_epochs": EPOCHS}, stopper={"patience": 1})
        self.settings = replace(replay_settings(space, folder), checkpoint_interval_s=interval_s)
        context = replace(self.settings.context, patience=None)
        self.settings = replace(self.settings, context=context)

    def process(self, player: Callable[[Assignment], Recording] | None = None) -> TrialActor:
        made = object.__new__(TrialActor)  # the base class wants a running Ray
        made.setup({"run": RUN.as_dict()}, self.settings, partial(ReplayedRun, player or play()))
        return made


def trained(driver: Driver, process: TrialActor, epochs: int, saved: int = 0) -> None:
    """Trains so many epochs, and saves the state after epoch ``saved``, as when it is due."""
    for epoch in range(1, epochs + 1):
        assert not driver.receive(process.step())
        if epoch == saved:
            process._writer.flush()


def complete(driver: Driver, process: TrialActor) -> list[dict[str, Any]]:
    """Trains to the end; the reports."""
    reports = [process.step()]
    while not driver.receive(reports[-1]):
        reports.append(process.step())
    return reports


def scalars(driver: Driver) -> list[Any]:
    found = []
    for folder in sorted(driver.local.glob(f"board-*/{RUN.name}")):
        events = EventAccumulator(str(folder))
        events.Reload()
        if "macro_f1/val" in events.Tags()["scalars"]:
            found += events.Scalars("macro_f1/val")
    return found
