"""Copies of the search for other tools: TensorBoard, and a journal for optuna-dashboard."""

from __future__ import annotations

import functools
import itertools
import json
import logging
import math
import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from ray.tune.experiment import Trial
from tensorboardX.summary import hparams

from fer_tune.schema.limits import GIB
from fer_tune.storage import remove_file
from fer_tune.storage.links import open_file
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.event_store import cut_torn_line
from fer_tune.tuning.log.events import History
from fer_tune.tuning.monitor.background import Background
from fer_tune.tuning.monitor.event_file import EventFile
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.studies.searcher import StudySearcher
from fer_tune.tuning.studies.study import ArmStudy

logger = logging.getLogger(__name__)

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
        self._open: dict[int, EventFile] = {}
        self._epochs = {number: run.epochs for number, run in history.runs.items()}

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        assignment = Assignment.from_dict(trial.config["run"])
        # A restarted run reports its last epoch again, in a new event file after a resume.
        known = self._epochs.get(assignment.number, 0)
        if not result.get("ran") or result["epoch"] <= known:
            return
        self._epochs[assignment.number] = result["epoch"]
        values = {_tag(name): result[name] for name in _SCALARS if math.isfinite(result[name])}
        self._writer(assignment).add_scalars(values, result["epoch"])

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        self._close(trial)

    def on_trial_error(self, trial: Trial, **info: Any) -> None:
        self._close(trial)

    def close(self) -> None:
        """Closes the files of trials that are still running."""
        while self._open:
            self._open.popitem()[1].close()

    def _writer(self, assignment: Assignment) -> EventFile:
        number = assignment.number
        if number not in self._open:
            self._open[number] = EventFile(self._folder.parent, self._folder / assignment.name)
        return self._open[number]

    def _close(self, trial: Trial) -> None:
        assignment = Assignment.from_dict(trial.config["run"])
        result = trial.last_result or {}
        best = result.get("best_val_macro_f1")
        values = {"arm": assignment.arm, "cohort": assignment.cohort}
        values |= assignment.config.as_dict()
        metrics = {"best/val_macro_f1": float("nan") if best is None else float(best)}
        with self._writer(assignment) as writer:
            del self._open[assignment.number]
            for summary in hparams(values, metrics):
                writer.add_summary(summary)
            if best is not None:
                writer.add_scalars(metrics, result["best_epoch"])


def _tag(name: str) -> str:
    """``loss/train`` for ``train_loss``; ``run/lr_head`` where there is no such pair."""
    group, _, rest = name.partition("_")
    return f"{rest}/{group}" if group in ("train", "val") else f"run/{name}"


class Journal(DriverCallback):
    """Mirrors the in-memory studies, and every ended trial, into ``optuna.journal``."""

    def __init__(self, path: Path, searcher: StudySearcher) -> None:
        self._path, self._searcher = path, searcher
        # One for all studies: each holds every trial of the file in memory.
        self._storage: JournalStorage | None = None
        self._mirrors: dict[str, optuna.Study] = {}
        self._done: dict[str, set[int]] = {}  # own numbers, by study
        self._known = _repair(path)
        self._writing = Background("journal")

    def setup(self, *args: Any, **info: Any) -> None:
        """Writes the studies before the first trial, so that optuna-dashboard opens at once."""
        for study in self._searcher.studies:
            self._check()
            self._mirror_of(study)

    def on_step_end(self, **info: Any) -> None:
        self._writing.check()
        self._mirror()

    def on_experiment_end(self, **info: Any) -> None:
        self._mirror()

    def close(self) -> None:
        self._writing.close()

    def _mirror(self) -> None:
        for study in self._searcher.studies:
            if study.ended_trials != len(self._done.get(study.name, ())):
                self._check()
                mirror = self._mirror_of(study)
                done = self._done[study.name]
                ended = [t for t in study.ended() if t.user_attrs["trial"] not in done]
                self._writing.submit(functools.partial(mirror.add_trials, ended))
                done.update(t.user_attrs["trial"] for t in ended)

    def _check(self) -> None:
        """Raises OSError where Optuna, which opens the journal by its path, would follow a link."""
        with suppress(FileNotFoundError):
            descriptor = open_file(self._path, os.O_RDWR, known=self._known)
            self._known = os.fstat(descriptor)
            os.close(descriptor)

    def _mirror_of(self, study: ArmStudy) -> optuna.Study:
        if study.name not in self._mirrors:
            if self._storage is None:
                # Optuna's default lock is a symbolic link, which not every file system has.
                lock = JournalFileOpenLock(str(self._path))
                self._storage = JournalStorage(JournalFileBackend(str(self._path), lock))
            mirror = optuna.create_study(
                study_name=study.name,
                storage=self._storage,
                directions=[study.study.direction],
                load_if_exists=True,
            )
            self._mirrors[study.name] = mirror
            # What an earlier session mirrored.
            numbers = (t.user_attrs.get("trial") for t in mirror.get_trials(deepcopy=False))
            # Another program may have added trials of its own.
            self._done[study.name] = {n for n in numbers if isinstance(n, int)}
        return self._mirrors[study.name]


def _repair(path: Path) -> os.stat_result | None:
    """Removes what a killed writer left: a torn line, which Optuna cannot parse, and its lock.

    This is safe as the results folder has one writer. A journal that Optuna cannot read is set
    aside: it is a mirror, and none of what a resume needs.

    Returns:
        the journal's status, if there is one.
    """
    with suppress(FileNotFoundError):
        status = cut_torn_line(path)
        remove_file(path.with_name(f"{path.name}.lock"))
        if status.st_size <= GIB and _is_readable(path):
            return status
        aside = _unused(path.with_name(f"{path.name}.damaged"))
        logger.warning(
            "%s is damaged or too large; a new one is written, it is now %s", path, aside
        )
        path.replace(aside)
    return None


def _unused(path: Path) -> Path:
    """``path``, or a name beside it that no file has."""
    candidates = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return next(one for one in itertools.chain([path], candidates) if not one.exists())


def _is_readable(path: Path) -> bool:
    """Whether Optuna can read the journal, which may be a stranger's.

    Raises:
        OSError: the disk cannot be read.
    """
    try:
        studies = JournalStorage(JournalFileBackend(str(path))).get_all_studies()
        with path.open("rb") as lines:  # Optuna takes a last line that is no JSON for a torn one
            json.loads(deque(lines, maxlen=1)[0] if path.stat().st_size else b"{}")
    except (OSError, MemoryError):
        raise  # says nothing about the journal
    except Exception as error:  # of JSON, of a key, of a type: nothing is checked there
        logger.info("%s: %s: %s", path, type(error).__name__, error)
        return False
    return all(isinstance(study.study_name, str) for study in studies)
