"""TPE that knows its parameters proposes what one proposes that collects them from all trials."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
import pytest
from made_records import make_space
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from fer_tune.tuning.studies.samplers import STARTUP_TRIALS, KnownSpaceTPE
from fer_tune.tuning.studies.study import distribution

PARAMETERS: dict[str, Any] = {
    "unfreeze_depth": {"type": "int", "low": 0, "high": 4},
    "batch_size": {"type": "int", "low": 16, "high": 128, "step": 16},
    "crop_size": {"type": "choice", "values": [32, 48, 64]},
    "augment_policy": {"type": "choice", "values": ["plain", "strong"]},
    "lr_head": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
}
DOMAINS = make_space(parameters=PARAMETERS).domains("resnet50")


def sampler(known: bool, seed: int) -> optuna.samplers.BaseSampler:
    options: dict[str, Any] = {
        "seed": seed,
        "n_startup_trials": STARTUP_TRIALS,
        "multivariate": True,
        "constant_liar": True,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if known:
            return KnownSpaceTPE({n: distribution(d) for n, d in DOMAINS.items()}, **options)
        return optuna.samplers.TPESampler(group=True, **options)


def proposals(known: bool) -> list[dict[str, Any]]:
    """Of 40 trials of which two run at a time, some pruned, some failed."""
    study = optuna.create_study(direction="maximize")
    running: list[optuna.Trial] = []
    found = []
    for number in range(40):
        study.sampler = sampler(known, number)
        trial = study.ask()
        for name, domain in DOMAINS.items():
            suggest(trial, name, domain)
        found.append(trial.params)
        running.append(trial)
        if len(running) > 2:
            end(study, running.pop(0))
    return found


def suggest(trial: optuna.Trial, name: str, domain: Any) -> None:
    if domain.type == "choice":
        trial.suggest_categorical(name, list(domain.values))
    elif domain.type == "float":
        trial.suggest_float(name, domain.low, domain.high, log=domain.log)
    else:
        trial.suggest_int(name, domain.low, domain.high, log=domain.log, step=domain.step)


def end(study: optuna.Study, trial: optuna.Trial) -> None:
    value = trial.params["dropout"] - trial.params["lr_head"]
    if trial.number % 5 == 4:
        study.tell(trial, state=TrialState.FAIL)
    elif trial.number % 3 == 2:
        trial.report(value, 1)
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, value)


def test_the_proposals_are_the_same() -> None:
    assert proposals(known=True) == proposals(known=False)


def test_the_distributions_are_those_of_the_trials() -> None:
    study = optuna.create_study()
    trial = study.ask()
    for name, domain in DOMAINS.items():
        suggest(trial, name, domain)
    expected: dict[str, BaseDistribution] = trial.distributions
    assert {name: distribution(domain) for name, domain in DOMAINS.items()} == expected


def test_studies_of_one_arm_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_tune.tuning.studies.searcher import _studies

    made: list[bool] = []
    own = KnownSpaceTPE.__init__

    def counted(self: KnownSpaceTPE, *args: Any, **options: Any) -> None:
        made.append(True)
        own(self, *args, **options)

    monkeypatch.setattr(KnownSpaceTPE, "__init__", counted)
    for allocation, expected in (("equal", 1), ("sampled", 0)):
        made.clear()
        study = _studies(make_space(compare={"arms": ["resnet18", "resnet34"],
                                             "allocation": allocation}))[0]  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.ask(0, "tpe")
        assert len(made) == expected
