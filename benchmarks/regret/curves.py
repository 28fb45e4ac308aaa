"""Whole searches on tasks of FT-PFN's prior: ours, and what others would run on the same curves.

=====================  ========================================================================
``ours (SAMPLER)``     our searcher, ASHA, audit and stopper under virtual time; with ``random`` it
                       is baseline (b), with ``cqr`` baseline (e)
``ray optuna``         (a) Ray's OptunaSearch with Ray's ASHA, both with their defaults
``optuna hyperband``   (c) Optuna's TPE with its HyperbandPruner
``i epochs, best K``   (d) random trials for a fifth of the epochs, the best tenth to the end
``no scheduler``       random trials, all to the end
=====================  ========================================================================

All have one study, the same number of trials, epochs of the same length and a choice by their own
rule. Epochs are reported beside the regret, as they differ.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna

from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.prior import PriorWorld
from fer_tune.simulation.world import Course
from fer_tune.space import SearchSpace, load
from fer_tune.tuning.log.assignment import Assignment, derive_seed
from fer_tune.tuning.studies.study import distribution

EPOCHS = 30
ARM = "densenet161"
#: Configurations whose best and median true values scale the regret of a task.
_REFERENCE = 300

OURS = {
    "ours (tpe)": ["sampler=tpe"],
    "ours (random)": ["sampler=random"],
    "ours (cqr)": ["sampler=cqr"],
    "ours (qmc)": ["sampler=qmc", "cohorts.random=0.0"],
    "ours (gp)": ["sampler=gp"],
    "ours (tpe), no stopper": ["sampler=tpe", "stopper.enabled=false"],
    "ours (tpe), grace 2": ["sampler=tpe", "scheduler.grace_epochs=2"],
}
COSTLY = ("ours (gp)", "ours (cqr)")


def space_of(trials: int, seed: int, settings: list[str]) -> SearchSpace:
    """The flagship with one arm and one study, without its baseline."""
    return load(
        "densenet161_vs_resnet152",
        [
            f"compare.arms=[{ARM}]",
            "compare.replicates=1",
            f"budget.trials={trials}",
            f"budget.max_epochs={EPOCHS}",
            "cohorts.baseline=[]",
            "confirm.seeds=0",
            f"seeds.search={seed}",
            *settings,
        ],
    )


class Task:
    """One task of the prior, with the scale of its regret."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.space = space_of(1, 0, ["sampler=random"])
        self.world = PriorWorld(self.space, seed=number)
        values = np.array([self._peak(k) for k in range(_REFERENCE)])
        self.best, self.median = float(values.max()), float(np.median(values))

    def regret(self, value: float) -> float:
        """May be below 0: the best configuration of the task is not known exactly."""
        return (self.best - value) / (self.best - self.median)

    def run(self, params: dict[str, Any], number: int, seed: int) -> Assignment:
        return Assignment(
            number=number,
            arm=ARM,
            replicate=0,
            cohort="random",
            seed=derive_seed(seed, "trial", number),
            weights_seed=0,
            view_seed=0,
            config=self.space.config(ARM, params),
        )

    def known(self) -> dict[str, Any]:
        return {name: distribution(d) for name, d in self.space.domains(ARM).items()}

    def _peak(self, k: int) -> float:
        sampler = optuna.samplers.RandomSampler(seed=derive_seed("reference", self.number, k))
        study = optuna.create_study(sampler=sampler)
        run = self.run(study.ask(self.known()).params, k, -1 - self.number)
        return float(self.world.course(run).truth.max())


def ours(
    task: Task, trials: int, parallel: int, seed: int, settings: list[str]
) -> tuple[float, int]:
    """(true value of the choice, epochs)."""
    space = space_of(trials, seed, settings)
    world = PriorWorld(space, seed=task.number)
    found = simulate(space, world, Fleet.of(space, parallel), seed=seed)
    eligible = [run for run in found.trials if run.state in ("complete", "overfit")]
    chosen = max(eligible, key=lambda run: run.best, default=None)
    value = math.nan if chosen is None else chosen.truth
    return value, sum(run.epochs for run in found.trials)


class _Rival:
    """A search of others: proposes configurations, and ends trials."""

    def __init__(self, task: Task, trials: int, seed: int) -> None:
        self.known, self.trials, self.seed = task.known(), trials, seed
        self.courses: dict[int, Course] = {}  # by trial

    def propose(self, number: int) -> dict[str, Any]:
        study = optuna.create_study(
            sampler=optuna.samplers.RandomSampler(seed=derive_seed(self.seed, "random", number))
        )
        return study.ask(self.known).params

    def ends(self, number: int, epoch: int, value: float) -> bool:
        """Whether a trial ends after this epoch, the last one included."""
        return epoch == EPOCHS

    def choose(self, curves: dict[int, list[float]]) -> tuple[int, int]:
        """(trial, epoch) by the rule that users of it follow: the best last value."""
        number = max(curves, key=lambda k: curves[k][-1])
        return number, len(curves[number])


class _BestEpoch(_Rival):
    """Chooses the best epoch of a whole trial, as ours does."""

    def choose(self, curves: dict[int, list[float]]) -> tuple[int, int]:
        whole = {k: c for k, c in curves.items() if len(c) == EPOCHS} or curves
        number = max(whole, key=lambda k: max(whole[k]))
        return number, int(np.argmax(whole[number])) + 1


class _RayOptuna(_Rival):
    def __init__(self, task: Task, trials: int, seed: int) -> None:
        super().__init__(task, trials, seed)
        from ray.tune.schedulers import AsyncHyperBandScheduler
        from ray.tune.search.optuna import OptunaSearch

        self._search = OptunaSearch(space=self.known, metric="value", mode="max", seed=seed)
        self._asha = AsyncHyperBandScheduler(metric="value", mode="max", max_t=EPOCHS)
        self._trials: dict[int, Any] = {}

    def propose(self, number: int) -> dict[str, Any]:
        params = self._search.suggest(str(number))
        self._trials[number] = SimpleNamespace(trial_id=str(number))
        self._asha.on_trial_add(None, self._trials[number])
        return params

    def ends(self, number: int, epoch: int, value: float) -> bool:
        result = {"value": value, "training_iteration": epoch}
        trial = self._trials[number]
        stops = epoch == EPOCHS or self._asha.on_trial_result(None, trial, result) == "STOP"
        if stops:
            if epoch == EPOCHS:
                self._asha.on_trial_complete(None, trial, result)
            self._search.on_trial_complete(str(number), result)
        else:
            self._search.on_trial_result(str(number), result)
        return stops


class _Hyperband(_Rival):
    def __init__(self, task: Task, trials: int, seed: int) -> None:
        super().__init__(task, trials, seed)
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS),
            study_name="hyperband",  # which bracket a trial is in depends on it
        )
        self._open: dict[int, optuna.Trial] = {}

    def propose(self, number: int) -> dict[str, Any]:
        self._open[number] = self._study.ask(self.known)
        return self._open[number].params

    def ends(self, number: int, epoch: int, value: float) -> bool:
        trial = self._open[number]
        trial.report(value, epoch)
        if epoch == EPOCHS:
            self._study.tell(trial, value)
            return True
        if trial.should_prune():
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return True
        return False

    def choose(self, curves: dict[int, list[float]]) -> tuple[int, int]:
        whole = {k: c for k, c in curves.items() if len(c) == EPOCHS} or curves
        return super().choose(whole)


def _play(task: Task, rival: _Rival, parallel: int) -> dict[int, list[float]]:
    """Every trial's values, ``parallel`` of them an epoch at a time."""
    curves: dict[int, list[float]] = {}
    running: list[tuple[int, Course]] = []
    while running or len(curves) < rival.trials:
        while len(running) < parallel and len(curves) < rival.trials:
            number = len(curves)
            run = task.run(rival.propose(number), number, rival.seed)
            running.append((number, task.world.course(run)))
            curves[number] = []
            rival.courses[number] = running[-1][1]
        left = []
        for number, course in running:
            epoch = len(curves[number]) + 1
            curves[number].append(float(course.values[epoch - 1]))
            if not rival.ends(number, epoch, curves[number][-1]):
                left.append((number, course))
        running = left
    return curves


def rival(
    task: Task, trials: int, parallel: int, seed: int, make: Callable[[Task, int, int], _Rival]
) -> tuple[float, int]:
    """(true value of the choice, epochs)."""
    one = make(task, trials, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curves = _play(task, one, parallel)
    number, epoch = one.choose(curves)
    value = float(one.courses[number].truth[epoch - 1])
    return value, sum(map(len, curves.values()))


def best_of_short(task: Task, trials: int, parallel: int, seed: int) -> tuple[float, int]:
    """All trials for a fifth of the epochs, then the best tenth of them to the end."""
    one = _BestEpoch(task, trials, seed)
    short, kept = math.ceil(EPOCHS / 5), math.ceil(trials / 10)
    courses = {k: task.world.course(task.run(one.propose(k), k, seed)) for k in range(trials)}
    leaders = sorted(courses, key=lambda k: -courses[k].values[:short].max())[:kept]
    number, epoch = one.choose({k: list(courses[k].values) for k in leaders})
    return float(courses[number].truth[epoch - 1]), trials * short + kept * (EPOCHS - short)


RIVALS: dict[str, Callable[[Task, int, int, int], tuple[float, int]]] = {
    "ray optuna": lambda t, n, p, s: rival(t, n, p, s, _RayOptuna),
    "optuna hyperband": lambda t, n, p, s: rival(t, n, p, s, _Hyperband),
    "i epochs, best K": best_of_short,
    "no scheduler": lambda t, n, p, s: rival(t, n, p, s, _BestEpoch),
}


def regret(policy: str, task: Task, *, trials: int, parallel: int, seed: int) -> tuple[float, int]:
    """(regret, epochs) of one search."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    if policy in OURS:
        value, epochs = ours(task, trials, parallel, seed, OURS[policy])
    else:
        value, epochs = RIVALS[policy](task, trials, parallel, seed)
    return task.regret(value), epochs
