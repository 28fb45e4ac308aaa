"""One simulated search: exploring and confirming, as ``fer_tune.tuning.phases`` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.phase import Phase
from fer_tune.simulation.runs import SimulatedRun, SimulatedSearch, State
from fer_tune.simulation.world import World
from fer_tune.space import SearchSpace
from fer_tune.training.learning_curve import LearningCurve
from fer_tune.tuning.concurrency import asked_at_once
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog
from fer_tune.tuning.studies.confirmation import choose, missing_runs, number_runs, slowest_first
from fer_tune.tuning.studies.driving import Decisions

_STATES: dict[str | None, State] = {
    None: "pruned",
    "completed": "complete",
    "overfit": "overfit",
    "diverged": "diverged",
    "oom": "oom",
    "error": "failed",
}


def simulate(space: SearchSpace, world: World, fleet: Fleet, *, seed: int = 0) -> SimulatedSearch:
    """One whole search under virtual time, confirmation included.

    The sampler ``auto`` is simulated as ``tpe``: ``gp`` takes fifty times longer to propose.

    Args:
        world: what training would give.
        seed: of lost machines; all else follows from the seeds of ``space`` and from ``world``.
    """
    if space.sampler == "auto":
        space = space.model_copy(update={"sampler": "tpe"})
    asked = asked_at_once(space, fleet.slots)
    draws = np.random.default_rng([seed, 1])
    trials = _Exploring(space, world, fleet)
    exploring = Phase(trials, fleet, asked=asked, draws=draws)
    exploring.play()
    search = SimulatedSearch(
        space=space,
        fleet=fleet,
        trials=exploring.runs,
        searched_s=exploring.now,
        seconds=exploring.now,
        fleet_s=exploring.gpu_s,
        is_cut=trials.is_cut(),
    )
    table = search.trials_table()
    choices = choose(table, space.metric)
    if choices and space.confirm.seeds:
        runs = _confirmation(search, choices, table)
        source = _Confirming(space, world, runs)
        confirming = Phase(source, fleet, asked=asked, draws=draws, now=exploring.now, waits=False)
        confirming.play()
        search.confirmations, search.seconds = confirming.runs, confirming.now
        search.fleet_s += confirming.gpu_s
    return search


class _VirtualLog(EventLog):
    """An event log that writes nothing, and whose clock is the simulation's."""

    def __init__(self) -> None:
        self.now = 0.0

    def append(self, kind: Any, **fields: Any) -> None:
        """Nothing is recorded: a simulation is repeated, not resumed."""

    def spent(self) -> float:
        return self.now


class _Exploring:
    """Trials, as the searcher asks for them and the scheduler ends them."""

    def __init__(self, space: SearchSpace, world: World, fleet: Fleet) -> None:
        self._space, self._world, self._log = space, world, _VirtualLog()
        limit = space.resources.max_concurrent or fleet.slots
        self._decisions = Decisions(space, self._log, slots=min(limit, fleet.slots))

    def ask(self, now: float) -> SimulatedRun | None:
        self._log.now = now
        assignment = self._decisions.ask()
        if assignment is None:
            return None
        return _run(self._space, self._world, assignment, now)

    def is_cut(self) -> bool:
        return self._decisions.is_cut()

    def report(self, run: SimulatedRun) -> bool:
        ends, state = True, _STATES["error"]
        if run.has_error():
            self._decisions.fail(run.assignment)
        else:
            result = run.advance()
            ends = self._decisions.report(run.assignment, result)
            state = _STATES[result["stop_reason"]]
        if ends:
            run.state = "pruned" if self._decisions.is_audited(run.assignment) else state
        return ends


class _Confirming:
    """Confirmation runs, which neither ASHA nor the stopper ends."""

    def __init__(self, space: SearchSpace, world: World, runs: list[Assignment]) -> None:
        self._space, self._world = space, world
        self._left = iter(runs)

    def ask(self, now: float) -> SimulatedRun | None:
        assignment = next(self._left, None)
        if assignment is None:
            return None
        return _run(self._space, self._world, assignment, now)

    def report(self, run: SimulatedRun) -> bool:
        if run.has_error():
            run.state = "failed"
            return True
        reason = run.advance()["stop_reason"]
        run.state = None if reason is None else _STATES[reason]
        return reason is not None


def _run(space: SearchSpace, world: World, assignment: Assignment, now: float) -> SimulatedRun:
    confirming = assignment.cohort == "confirm"
    curve = LearningCurve(
        metric=space.metric,
        classes=world.classes,
        max_epochs=space.budget.max_epochs,
        patience=space.stopper.patience,
        window=space.stopper.window,
        stop_early=space.stopper.enabled and not confirming,
    )
    return SimulatedRun(
        assignment=assignment, course=world.course(assignment), curve=curve, asked=now
    )


def _confirmation(
    search: SimulatedSearch, choices: list[dict[str, Any]], trials: pd.DataFrame
) -> list[Assignment]:
    space, seeds = search.space, search.space.confirm.seeds
    numbered = number_runs(choices, seeds, len(trials))
    runs = missing_runs(space, numbered, seeds, trials)
    pace = {run.assignment.number: run.course.seconds for run in search.trials}
    chosen = {choice["trial"] for choice in choices}
    epochs = [(number, s) for number in chosen for s in pace[number]]
    return slowest_first(runs, numbered, pd.DataFrame(epochs, columns=["trial", "seconds"]))
