"""Copies of the search for other tools: TensorBoard, and a journal for optuna-dashboard."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from ray.tune.experiment import Trial
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.callback import DriverCallback
from fer_tune.tuning.event_store import cut_torn_line
from fer_tune.tuning.events import History
from fer_tune.tuning.searcher import StudySearcher
from fer_tune.tuning.study import ArmStudy

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


class TensorBoard(DriverCallback):
    """Event files per trial under ``tensorboard/``, hyperparameters through the hparams plug-in."""

    def __init__(self, folder: Path, history: History) -> None:
        self._folder = folder
        self._open: dict[int, SummaryWriter] = {}
        self._epochs = {number: run.epochs for number, run in history.runs.items()}

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        assignment = Assignment.from_dict(trial.config["run"])
        # A restarted run reports its last epoch again, in a new event file after a resume.
        known = self._epochs.get(assignment.number, 0)
        if not result.get("ran") or result["epoch"] <= known:
            return
        self._epochs[assignment.number] = result["epoch"]
        writer = self._writer(assignment)
        for name in _SCALARS:
            if math.isfinite(result[name]):
                group, _, rest = name.partition("_")
                tag = f"{rest}/{group}" if group in ("train", "val") else f"run/{name}"
                writer.add_scalar(tag, result[name], result["epoch"])
        writer.flush()

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        self._close(trial)

    def on_trial_error(self, trial: Trial, **info: Any) -> None:
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


class Journal(DriverCallback):
    """Mirrors every ended trial of the in-memory studies into ``optuna.journal``."""

    def __init__(self, path: Path, searcher: StudySearcher) -> None:
        self._path, self._searcher = path, searcher
        self._mirrors: dict[str, optuna.Study] = {}
        self._done: dict[str, set[int]] = {}  # own numbers, by study
        _mend(path)

    def on_step_end(self, **info: Any) -> None:
        self._mirror()

    def on_experiment_end(self, **info: Any) -> None:
        self._mirror()

    def _mirror(self) -> None:
        for study in self._searcher.studies:
            if study.ended_trials != len(self._done.get(study.name, ())):
                mirror = self._mirror_of(study)
                done = self._done[study.name]
                ended = [t for t in study.ended() if t.user_attrs["trial"] not in done]
                mirror.add_trials(ended)
                done.update(t.user_attrs["trial"] for t in ended)

    def _mirror_of(self, study: ArmStudy) -> optuna.Study:
        if study.name not in self._mirrors:
            mirror = optuna.create_study(
                study_name=study.name,
                storage=JournalStorage(JournalFileBackend(str(self._path))),
                directions=[study.study.direction],
                load_if_exists=True,
            )
            self._mirrors[study.name] = mirror
            # What an earlier sitting mirrored.
            self._done[study.name] = {
                t.user_attrs["trial"] for t in mirror.get_trials(deepcopy=False)
            }
        return self._mirrors[study.name]


def _mend(path: Path) -> None:
    """Removes what a kill left of a write: a torn line, which Optuna stumbles over, and its lock.

    Nobody else writes there: the results folder has one writer.
    """
    if path.exists():
        cut_torn_line(path)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
