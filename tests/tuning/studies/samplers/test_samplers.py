"""Every sampler: it proposes what the space permits, the same again, and better than at random."""

from __future__ import annotations

import functools
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState
from scipy.stats import qmc

from fer_tune.errors import EnvironmentFault
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.studies.samplers import Request, make_sampler
from fer_tune.tuning.studies.samplers.cqr import LEVELS, conformal_quantiles, corrections
from fer_tune.tuning.studies.samplers.unit_cube import from_cube, to_cube
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space

#: Sorted by name, as the samplers have them.
KNOWN: dict[str, BaseDistribution] = {
    "batch": IntDistribution(16, 128, step=16),
    "crop": CategoricalDistribution([32, 48, 64]),
    "depth": IntDistribution(0, 5),
    "drop": FloatDistribution(0.0, 0.5),
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "units": IntDistribution(1, 1000, log=True),
}
NUMBERS = {name: d for name, d in KNOWN.items() if name != "crop"}
SAMPLERS = ("tpe", "random", "qmc", "gp", "cmaes", "cqr")
PARAMETERS: dict[str, Any] = {
    "unfreeze_depth": {"type": "int", "low": 0, "high": 5},
    "lr_head": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
}


def space_of(sampler: str, **changes: Any) -> SearchSpace:
    arms = {"compare": {"arms": ["resnet18", "resnet34"]}, "parameters": PARAMETERS}
    return make_space(**{**arms, "sampler": sampler, **changes})


def score(params: dict[str, Any]) -> float:
    """Best at lr 1e-2, drop 0.2, depth 3."""
    lr = (math.log10(params["lr"]) + 2) ** 2 / 4
    return 1 - lr - 4 * (params["drop"] - 0.2) ** 2 - (params["depth"] - 3) ** 2 / 18


def proposals(sampler: str, trials: int, seed: int = 0) -> list[dict[str, Any]]:
    """Of a study in which two trials run at a time and every fourth is stopped."""
    known = NUMBERS if sampler == "cmaes" else KNOWN
    study = optuna.create_study(direction="maximize")
    running: list[optuna.Trial] = []
    found = []
    for number in range(trials):
        request = Request(
            known=known, seed=1000 * seed + number, sequence_seed=seed, position=number
        )
        study.sampler = make_sampler(sampler, request)
        running.append(study.ask(known))
        found.append(running[-1].params)
        if len(running) == 2:
            trial = running.pop(0)
            if trial.number % 4 == 3:
                trial.report(score(trial.params) - 0.1, 2)
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, score(trial.params))
    return found


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_lie_in_their_domains_and_vary(sampler: str) -> None:
    found = proposals(sampler, 8 if sampler == "gp" else 16)
    for name, distribution in (NUMBERS if sampler == "cmaes" else KNOWN).items():
        values = [params[name] for params in found]
        assert all(distribution._contains(distribution.to_internal_repr(v)) for v in values)
        assert len(set(values)) > 1, name


@pytest.mark.parametrize(
    ("sampler", "trials"), [("tpe", 40), ("gp", 16), ("cmaes", 60), ("cqr", 30)]
)
def test_later_proposals_are_better_than_random_ones(sampler: str, trials: int) -> None:
    late = [score(p) for p in proposals(sampler, trials)[-8:]]
    assert np.mean(late) > at_random() + 0.1


@functools.cache
def at_random() -> float:
    """The mean score of random proposals."""
    return float(np.mean([score(p) for seed in range(5) for p in proposals("random", 40, seed)]))


def test_a_gaussian_process_learns_from_stopped_trials_too() -> None:
    """Optuna's own sampler skips them: with none complete it would draw at random."""
    study = optuna.create_study(direction="maximize")
    for _ in range(12):
        trial = study.ask({"x": FloatDistribution(0, 1)})
        trial.report(-abs(trial.params["x"] - 0.9), 1)
        study.tell(trial, state=TrialState.PRUNED)
    found = []
    for seed in range(2):
        known: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}
        study.sampler = make_sampler(
            "gp", Request(known=known, seed=seed, sequence_seed=0, position=0)
        )
        found.append(study.ask(known).params["x"])
    assert np.mean(np.abs(np.array(found) - 0.9)) < 0.1


def test_quasi_random_points_are_one_sobol_sequence_in_which_choices_are_even() -> None:
    known: dict[str, BaseDistribution] = {
        "crop": CategoricalDistribution([1, 2, 3, 4]),
        "drop": FloatDistribution(0.0, 1.0),
    }
    study = optuna.create_study()
    found = []
    for position in range(16):
        request = Request(known=known, seed=position, sequence_seed=7, position=position)
        study.sampler = make_sampler("qmc", request)
        found.append(study.ask(known).params)
    points = qmc.Sobol(2, scramble=True, rng=7).random(16)
    assert [p["drop"] for p in found] == pytest.approx(points[:, 1].tolist())
    assert [sum(p["crop"] == c for p in found) for c in (1, 2, 3, 4)] == [4, 4, 4, 4]


def test_points_of_the_cube_and_values_correspond() -> None:
    rng = np.random.default_rng(0)
    for point in rng.uniform(size=(200, len(KNOWN))):
        values = from_cube(KNOWN, point)
        assert from_cube(KNOWN, to_cube(KNOWN, values)) == pytest.approx(values)
    for corner in (np.zeros(len(KNOWN)), np.ones(len(KNOWN))):
        values = from_cube(KNOWN, corner)
        at_end = [values[name] for name in ("batch", "crop", "depth", "drop", "units")]
        assert at_end == ([16, 32, 0, 0.0, 1] if not corner[0] else [128, 64, 5, 0.5, 1000])


def test_corrected_quantiles_cover_what_they_claim() -> None:
    """Of pure noise, gradient boosting alone covers too little: it fits the noise."""
    draws = np.random.default_rng(3)
    inside, claimed = [], LEVELS[-1] - LEVELS[0]
    for _ in range(20):
        x, y = draws.uniform(size=(50, 3)), draws.normal(size=50)
        found = conformal_quantiles(x, y, draws.uniform(size=(40, 3)), draws)
        fresh = draws.normal(size=40)
        inside.append(((found[:, 0] <= fresh) & (fresh <= found[:, -1])).mean())
    assert claimed - 0.08 < np.mean(inside) < claimed + 0.15


def test_corrections_widen_what_was_too_narrow_and_leave_the_order() -> None:
    predicted = np.tile([-0.1, -0.05, 0.05, 0.1], (9, 1))
    added = corrections(predicted, np.linspace(-1, 1, 9))
    assert added[0] < 0 < added[-1] and added.tolist() == (-added[::-1]).tolist()
    narrower = corrections(np.tile([-9.0, -8.0, 8.0, 9.0], (9, 1)), np.zeros(9))
    assert narrower.tolist() == [9.0, 8.0, -8.0, -9.0]


def test_a_missing_package_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_tune.tuning.studies.extras.find_spec", lambda name: None)
    request = Request(known=NUMBERS, seed=0, sequence_seed=0, position=0)
    with pytest.raises(EnvironmentFault, match=r"fer-tune\[cmaes\]"):
        make_sampler("cmaes", request)
    make_sampler("cqr", request)


# -- in a search ------------------------------------------------------------------------------


def ended(value: float) -> dict[str, Any]:
    return {"epoch": 1, "val_macro_f1": value, "score": value, "stop_reason": "completed",
            "ran": True}  # fmt: skip


def play(searcher: StudySearcher, first: int, last: int) -> list[Assignment]:
    """Asks for trials and ends each, all but the last one; every third is stopped."""
    found = []
    for number in range(first, last):
        asked = searcher.suggest(str(number))
        run = Assignment.from_dict(asked["run"])
        found.append(run)
        value = run.config.dropout + run.config.lr_head
        result = ended(value)
        if number % 3 == 2:
            result["stop_reason"] = None
        if number < last - 1:
            searcher._log.append("epoch", trial=run.number, result=result, done=True)
            searcher.on_trial_complete(str(number), result)
    return found


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resumed_search_proposes_as_if_it_had_never_stopped(sampler: str, tmp_path: Path) -> None:
    # A generation of CMA-ES has seven trials; a Gaussian process takes its time.
    trials, killed_at = (12, 6) if sampler == "gp" else (24, 14)
    space = space_of(sampler, budget={"trials": trials, "max_epochs": 9})
    searchers = []
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        log = EventLog.begin(tmp_path / name, {"space": space.as_dict()})
        searchers.append(StudySearcher(space, log))
    whole, killed = searchers
    play(killed, 0, killed_at)
    history = History.read(tmp_path / "killed")
    again = StudySearcher(space, EventLog(tmp_path / "killed"), history=history)
    expected = play(whole, 0, killed_at)[-1:] + play(whole, killed_at, trials)
    resumed = play(again, killed_at - 1, killed_at) + play(again, killed_at, trials)
    assert resumed == expected
    assert {run.cohort for run in resumed} == {sampler}


def test_auto_keeps_the_sampler_that_the_search_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = space_of("auto")
    module = sys.modules["fer_tune.space.plan"]  # the package has a function of that name
    monkeypatch.setattr(module, "automatic", lambda trials: "cqr")
    searcher = StudySearcher(space, EventLog.begin(tmp_path, {"space": space.as_dict()}))
    play(searcher, 0, 6)
    monkeypatch.setattr(module, "automatic", lambda trials: "tpe")
    again = StudySearcher(space, EventLog(tmp_path), history=History.read(tmp_path))
    left = play(again, 5, 12)
    assert {run.cohort for run in left} == {"cqr"}
