"""Copies of the search for other tools: TensorBoard, and a journal for optuna-dashboard."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from ray.tune import Callback
from ray.tune.experiment import Trial
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.searcher import StudySearcher

_SCALARS = (
    "train_loss",
    "val_loss",
    "train_accuracy",
    "val_accuracy",
    "train_macro_f1",
    "val_macro_f1",
    "lr_head",
    "lr_backbone",
    "images_per_s",
    "peak_memory_mib",
)


class TensorBoard(Callback):
    """Event files per trial under ``tensorboard/``, hyperparameters through the hparams plug-in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[int, SummaryWriter] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles callbacks for a restore; a restarted trial goes on in a new event file.
        return {**self.__dict__, "_open": {}}

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        if not result.get("ran"):
            return
        writer = self._writer(Assignment.from_dict(trial.config["run"]))
        for name in _SCALARS:
            if math.isfinite(result[name]):
                group, _, rest = name.partition("_")
                tag = f"{rest}/{group}" if group in ("train", "val") else f"run/{name}"
                writer.add_scalar(tag, result[name], result["epoch"])
        writer.flush()

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._close(trial)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._close(trial)

    def _writer(self, assignment: Assignment) -> SummaryWriter:
        number = assignment.number
        if number not in self._open:
            self._open[number] = SummaryWriter(str(self._folder / assignment.name), max_queue=1)
        return self._open[number]

    def _close(self, trial: Trial) -> None:
        assignment = Assignment.from_dict(trial.config["run"])
        writer = self._writer(assignment)
        result = trial.last_result or {}
        best = result.get("best_val_macro_f1")
        values = {"arm": assignment.arm, "cohort": assignment.cohort}
        values |= assignment.config.as_dict()
        metrics = {"best/val_macro_f1": float("nan") if best is None else float(best)}
        for summary in hparams(values, metrics):
            writer.file_writer.add_summary(summary)
        if best is not None:
            writer.add_scalar("best/val_macro_f1", best, result["best_epoch"])
        writer.close()
        del self._open[assignment.number]


class Journal(Callback):
    """Mirrors every ended trial of the in-memory studies into ``optuna.journal``."""

    def __init__(self, path: Path, searcher: StudySearcher) -> None:
        self._path, self._searcher = path, searcher
        self._written: dict[str, int] = {}

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self._mirror()

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        self._mirror()

    def _mirror(self) -> None:
        for arm_study in self._searcher.studies:
            ended = [t for t in arm_study.study.get_trials(deepcopy=False) if t.state.is_finished()]
            ended.sort(key=_when_ended)
            done = self._written.get(arm_study.name, 0)
            if len(ended) > done:
                mirror = optuna.create_study(
                    study_name=arm_study.name,
                    storage=JournalStorage(JournalFileBackend(str(self._path))),
                    directions=[arm_study.study.direction],
                    load_if_exists=True,
                )
                mirror.add_trials(ended[done:])
                self._written[arm_study.name] = len(ended)

    def get_state(self) -> dict[str, Any]:
        return {"written": self._written}

    def set_state(self, state: dict[str, Any]) -> None:
        self._written = dict(state["written"])


def _when_ended(trial: optuna.trial.FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete
