"""One sampler on one table, asynchronously in parallel, as a study of ours asks for trials."""

from __future__ import annotations

import heapq
import math

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution

from benchmarks.regret.tables import Table
from fer_tune.tuning.log.assignment import derive_seed
from fer_tune.tuning.studies.samplers import Request, make_sampler

#: Trials of a study. Each size is a run of its own: how many of its trials are drawn at random
#: depends on it.
SIZES = (16, 20, 60, 200)
#: Sampler and share of random trials before it, of every policy; 0.25 is the default of a space.
POLICIES = {
    "random": ("random", 1.0),
    "tpe": ("tpe", 0.25),
    "tpe, 10 % random": ("tpe", 0.1),
    "qmc": ("qmc", 0.0),
    "cqr": ("cqr", 0.25),
    "gp": ("gp", 0.25),
    "cmaes": ("cmaes", 0.25),
}
#: Policies whose proposals take a tenth of a second and more: at most 60 trials.
COSTLY = ("cqr", "gp")


def fits(policy: str, table: Table) -> bool:
    """CMA-ES samples numbers alone."""
    return policy != "cmaes" or not table.has_choices


def regret(table: Table, policy: str, *, parallel: int, trials: int, seed: int) -> float:
    """The regret of the choice after ``trials`` trials.

    The choice is the best trial by its own score, which one training seed gave. Durations vary
    log-normally, so that trials end out of order.
    """
    sampler, share = POLICIES[policy]
    draws = np.random.default_rng([seed, derive_seed(table.name)])
    study = optuna.create_study(direction="maximize")
    running: list[tuple[float, int, optuna.Trial]] = []
    best, chosen, now, asked = -np.inf, 0, 0.0, 0
    random = math.floor(share * trials + 0.5)  # as a study rounds it
    while asked < trials or running:
        while len(running) < parallel and asked < trials:
            name = "random" if asked < random else sampler
            request = Request(
                known=table.known,
                seed=derive_seed(seed, table.name, asked),
                sequence_seed=derive_seed(seed, table.name, "sequence"),
                position=asked if share == 0.0 else asked - random,
            )
            study.sampler = make_sampler(name, request)
            trial = study.ask(table.known)
            heapq.heappush(running, (now + draws.lognormal(0, 0.5), asked, trial))
            asked += 1
        now, _, trial = heapq.heappop(running)
        number = table.number(trial.params)
        score = float(draws.choice(table.scores[number]))
        study.tell(trial, score)
        if score > best:
            best, chosen = score, number
    return table.regret(chosen)


def random_regrets(table: Table, seeds: int) -> np.ndarray:
    """(seeds, max(SIZES)): the regret of random search, for which parallel runs change nothing."""
    draws = np.random.default_rng(derive_seed(table.name, "random"))
    places = [
        len(d.choices) if isinstance(d, CategoricalDistribution) else d.high + 1  # type: ignore[attr-defined]
        for d in table.known.values()
    ]
    drawn = draws.integers(int(np.prod(places)), size=(seeds, max(SIZES)))
    column = draws.integers(table.scores.shape[1], size=drawn.shape)
    scores = table.scores[drawn, column]
    leader = np.maximum.accumulate(scores, axis=1)
    improved = np.diff(leader, axis=1, prepend=-np.inf) > 0
    first = np.maximum.accumulate(np.where(improved, np.arange(scores.shape[1]), 0), axis=1)
    chosen = np.take_along_axis(drawn, first, axis=1)
    best, median = table.truth.max(), np.median(table.truth)
    return (best - table.truth[chosen]) / (best - median)
