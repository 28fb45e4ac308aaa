"""The models that a search keeps: of every arm, the confirmation run best on validation."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from ray.tune.experiment import Trial

from fer_tune.console import say
from fer_tune.errors import ModelError, ResultsError
from fer_tune.escaping import shell_word
from fer_tune.models.card import SCHEMA_VERSION, ArmScores, Card
from fer_tune.models.card_file import CARD, WEIGHTS, is_model, read_card, write_card
from fer_tune.models.kept import open_model
from fer_tune.schema import first_error
from fer_tune.scores import mean_half_width
from fer_tune.storage import AnyPath, copy_file, remove_file, remove_tree
from fer_tune.storage.links import make_folder_below
from fer_tune.tuning.files.candidates import (
    candidate_folder,
    candidates,
    drop_candidate,
    drop_candidates,
    models_folder,
    read_candidate,
)
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.manifest import versions
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.raytune.scored_run import RetrainedRun
from fer_tune.tuning.raytune.tune_runner import run_phase
from fer_tune.tuning.session import Search

_LEVEL = 0.95

Choices = list[dict[str, Any]]


def scored_runs(search: Search, choices: Choices) -> list[RunHistory]:
    """The confirmation runs of ``choices`` that have a test score, by number."""
    numbers = {number for choice in choices for number in choice["runs"]}
    runs = [search.history.runs[n] for n in sorted(numbers & set(search.history.runs))]
    return [run for run in runs if run.done and run.last.get("test_macro_f1") is not None]


def best_runs(runs: Iterable[RunHistory], metric: str) -> dict[str, RunHistory]:
    """Of every arm the run with the best validation score; the earliest wins a tie.

    Args:
        metric: of the search; ``loss`` is minimised.
    """
    key, sign = f"best_val_{metric}", -1.0 if metric == "loss" else 1.0
    best: dict[str, RunHistory] = {}
    for run in runs:
        arm = run.assignment.arm
        if arm not in best or sign * run.last[key] > sign * best[arm].last[key]:
            best[arm] = run
    return best


class RemoveWorse(DriverCallback):
    """After each confirmation run, removes the models that will not be kept."""

    def __init__(self, search: Search, choices: Choices) -> None:
        self._search, self._choices = search, choices

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        root, ended = self._search.results.root, scored_runs(self._search, self._choices)
        best = {r.assignment.number for r in best_runs(ended, self._search.space.metric).values()}
        for number in candidates(root) & {run.assignment.number for run in ended} - best:
            drop_candidate(root, number)


def keep_models(search: Search, choices: Choices) -> None:
    """Moves the best models into place, and prints where they are.

    Raises:
        ResultsError: what a worker left is damaged.
        OSError: from the disk, or the store at the URL.
    """
    root, runs = search.results.root, scored_runs(search, choices)
    left, best = candidates(root), best_runs(runs, search.space.metric)
    _remove_superseded(search, {run.assignment.number for run in runs})
    for arm, run in sorted(best.items()):
        folder, number = models_folder(root) / arm, run.assignment.number
        scores = arm_scores([r for r in runs if r.assignment.arm == arm])
        if number in left:
            _keep(search, choices, run, scores, folder)
        elif _kept_run(folder) == number:
            card = read_card(folder).model_copy(update={"arm_scores": scores})
            write_card(card, folder, within=root)
        else:  # scored by a version that kept no models
            say(search.console, f"no model of {arm} was kept; to train it again:")
            say(search.console, f"  {keep_command(root)}")
            continue
        say(search.console, f"model of {arm}: {folder}")
    drop_candidates(root)


def _remove_superseded(search: Search, runs: set[int]) -> None:
    """Removes models of runs that are not among ``runs``: of choices before an extension."""
    root = search.results.root
    for arm in search.space.compare.arms:
        folder = models_folder(root) / arm
        if (number := _kept_run(folder)) is not None and number not in runs:
            remove_file(folder / CARD, within=root)
            remove_tree(folder, within=root)


def without_model(search: Search, choices: Choices) -> list[RunHistory]:
    """The best run of every arm whose model is not kept, or whose files are damaged."""
    best = best_runs(scored_runs(search, choices), search.space.metric)
    folder = models_folder(search.results.root)
    return [run for arm, run in best.items() if not _is_usable(folder / arm, run)]


def _is_usable(folder: AnyPath, run: RunHistory) -> bool:
    try:
        return is_model(folder) and open_model(folder).card.run == run.assignment.number
    except ModelError:
        return False


def retrain(search: Search, choices: Choices) -> None:
    """Trains the best runs whose models were not kept again; no record of a score changes."""
    root = search.results.root
    if not scored_runs(search, choices):
        raise ResultsError(
            "no confirmation run has a test score, so there is no model to keep",
            where=str(root),
            remedy=f"Confirm first: fer-tune confirm {shell_word(root)} --seeds 5",
        )
    runs = [run.assignment for run in without_model(search, choices)]
    if not runs:
        say(search.console, "The model of every arm is kept already.")
        return
    run_phase(
        search.space,
        search.settings,
        name="keep-models",
        asked=search.asked,
        callbacks=[
            _Retraining(root),
            *search.progress(total=len(runs), title="models"),
        ],
        interruption=search.interruption,
        runs=runs,
        make_run=RetrainedRun,
        local_folder=search.local_folder,
        console=search.console,
        can_grow=search.can_grow,
    )
    keep_models(search, choices)
    if left := [run.assignment.arm for run in without_model(search, choices)]:
        raise ResultsError(
            f"the model of {', '.join(left)} could not be trained again",
            where=str(root),
            remedy="Read the messages above, then run the command again",
        )


class _Retraining(DriverCallback):
    """What the recorder does for other runs, but no records: errors of the disk, checkpoints."""

    def __init__(self, root: AnyPath) -> None:
        self._root = root

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        if "disk_fault" in result:
            raise OSError(*result["disk_fault"])

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        Checkpoints(self._root, Assignment.from_dict(trial.config["run"]).number).drop()

    on_trial_error = on_trial_complete


def _keep(
    search: Search, choices: Choices, run: RunHistory, scores: ArmScores, folder: AnyPath
) -> None:
    """Copies the model of ``run`` into ``folder`` and writes its card, last.

    A kill in between leaves the candidate, so that the next command does it again.
    """
    root, number = search.results.root, run.assignment.number
    card = _card(search, choices, run, scores)
    source = candidate_folder(root, number) / WEIGHTS
    if isinstance(folder, Path):
        assert isinstance(root, Path)
        make_folder_below(root, folder)
    copy_file(source, folder / WEIGHTS, within=root)
    write_card(card, folder, within=root)


def _card(search: Search, choices: Choices, run: RunHistory, scores: ArmScores) -> Card:
    root, manifest, assignment = search.results.root, search.results.manifest(), run.assignment
    arm, data = manifest["arms"][assignment.arm], search.space.data
    trials = {(c["arm"], c["replicate"]): c["trial"] for c in choices}
    content = {
        **read_candidate(root, assignment.number),
        "schema_version": SCHEMA_VERSION,
        "weights": {"recipe": arm["weights"], "sha256": arm["weights_sha256"]},
        "dataset": {
            "fingerprint": manifest["dataset"]["fingerprint"],
            "audit": manifest["dataset"].get("audit"),
            "splits": {
                "validation_share": data.validation_share,
                "split_seed": search.space.seeds.split,
                "leaks": data.leaks,
                "conflicts": data.conflicts,
                "audit_version": search.history.audit_version,
            },
        },
        "arm_scores": scores.model_dump(),
        "search": {
            "name": manifest["name"],
            "results": str(root),
            "started": manifest["started"],
        },
        "trial": trials[assignment.arm, assignment.replicate],
        "versions": versions(),
        "created": time.time(),
    }
    try:
        return Card.model_validate(content)
    except ValidationError as error:
        rule, value = first_error(error)
        raise ResultsError(
            f"the model of run {assignment.number} is damaged: {rule}",
            where=str(candidate_folder(root, assignment.number)),
            value=value,
            remedy=f"Remove that folder, then: {keep_command(root)}",
        ) from None


def arm_scores(runs: list[RunHistory]) -> ArmScores:
    """Mean test macro-F1 of one arm with its interval, over studies or the runs of one study."""
    scores: dict[int, list[float]] = {}
    for run in runs:
        scores.setdefault(run.assignment.replicate, []).append(float(run.last["test_macro_f1"]))
    studies = len(scores) > 1
    means = [float(np.mean(found)) for found in scores.values()]
    sample = np.asarray(means if studies else next(iter(scores.values())))
    mean, half = float(sample.mean()), mean_half_width(sample, _LEVEL)
    return ArmScores(
        unit="studies" if studies else "confirmation runs",
        n=sample.size,
        mean=mean,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
    )


def _kept_run(folder: AnyPath) -> int | None:
    """The number of the run whose model is kept in ``folder``; None if there is none to use."""
    try:
        return read_card(folder).run if is_model(folder) else None
    except ModelError:
        return None


def keep_command(root: AnyPath) -> str:
    """The command that keeps the models of a search that kept none."""
    return f"fer-tune confirm {shell_word(root)} --keep-models"
