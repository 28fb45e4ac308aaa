"""The searcher by itself: cohorts, turns, reports to studies, out-of-memory limits, saving."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def searcher_of(space: SearchSpace, **options: Any) -> StudySearcher:
    """A searcher with a new log in the working folder."""
    Path("events.jsonl").unlink(missing_ok=True)
    log = EventLog.begin(Path(), {"space": space.as_dict()})
    return StudySearcher(space, log, **options)


def ask(searcher: StudySearcher, trial_id: str) -> Assignment:
    asked = searcher.suggest(trial_id)
    assert isinstance(asked, dict)
    return Assignment.from_dict(asked["run"])


def result(epoch: int, value: float, best: float, reason: str | None = None) -> dict[str, Any]:
    return {"epoch": epoch, "val_macro_f1": value, "score": best, "stop_reason": reason}


def everything(searcher: StudySearcher) -> list[Assignment]:
    found = []
    while (asked := searcher.suggest(f"t{len(found)}")) != Searcher.FINISHED:
        found.append(Assignment.from_dict(asked["run"]))
        searcher.on_trial_complete(f"t{len(found) - 1}", result(1, 0.5, 0.5, "completed"))
    return found


def test_studies_are_served_in_turn_and_use_up_the_budget_exactly() -> None:
    space = make_space(compare={"arms": ["densenet161", "resnet152"], "replicates": 3})
    found = everything(searcher_of(space))
    assert [a.number for a in found] == list(range(12))
    assert [(a.arm, a.replicate) for a in found[:4]] == [
        ("densenet161", 0),
        ("resnet152", 0),
        ("densenet161", 1),
        ("resnet152", 1),
    ]
    per_study = {a.study: sum(b.study == a.study for b in found) for a in found}
    assert set(per_study.values()) == {2} and len(per_study) == 6


def test_cohorts_come_in_order_baselines_first() -> None:
    baseline = {"unfreeze_depth": 5, "crop_size": 48, "lr_head": 1e-3}
    outside = {"unfreeze_depth": 1, "crop_size": 224, "lr_head": 1e-3, "arm": "resnet152"}
    space = make_space(cohorts={"random": 0.5, "baseline": [baseline, outside]})
    searcher = searcher_of(space)
    found = everything(searcher)
    dense = [a.cohort for a in found if a.arm == "densenet161"]
    resnet = [a for a in found if a.arm == "resnet152"]
    assert dense == ["baseline", "random", "random", "random", "tpe", "tpe"]
    assert [a.cohort for a in resnet] == ["baseline", "baseline", "random", "random", "tpe", "tpe"]
    assert resnet[1].config.crop_size == 224
    # Optuna cannot place what lies outside its distributions, so it was not reported to that study.
    assert [len(s.study.trials) for s in searcher.studies] == [6, 5]


def test_the_same_seed_asks_the_same_and_arms_differ() -> None:
    asked = [everything(searcher_of(make_space(seeds={"search": s}))) for s in (1, 1, 2)]
    assert asked[0] == asked[1] != asked[2]
    first, second = asked[0][0].config, asked[0][1].config
    assert first.lr_head != second.lr_head, "each study has a sampler of its own"


@pytest.mark.parametrize(
    ("reason", "state", "value"),
    [
        ("completed", TrialState.COMPLETE, 0.7),
        ("overfit", TrialState.COMPLETE, 0.7),
        (None, TrialState.PRUNED, 0.4),
        ("diverged", TrialState.PRUNED, 0.4),
        ("oom", TrialState.FAIL, None),
    ],
)
def test_studies_are_reported_the_truth(
    reason: str | None, state: TrialState, value: float
) -> None:
    searcher = searcher_of(make_space())
    ask(searcher, "a")
    searcher.on_trial_result("a", result(1, 0.6, 0.6))
    searcher.on_trial_result("a", result(2, 0.7, 0.7))
    searcher.on_trial_complete("a", result(3, 0.4, 0.7, reason))
    told = searcher.studies[0].study.trials[0]
    assert told.state == state and told.value == value
    assert told.intermediate_values == {1: 0.6, 2: 0.7, 3: 0.4}


def test_a_value_that_is_not_a_number_never_reaches_the_study() -> None:
    searcher = searcher_of(make_space())
    ask(searcher, "a")
    searcher.on_trial_result("a", result(1, 0.6, 0.6))
    searcher.on_trial_complete("a", result(2, math.nan, 0.6, "diverged"))
    told = searcher.studies[0].study.trials[0]
    assert told.state == TrialState.PRUNED and told.intermediate_values == {1: 0.6}


def test_a_loss_is_minimised() -> None:
    searcher = searcher_of(make_space(metric="loss"))
    ask(searcher, "a")
    last = {"epoch": 1, "val_loss": 1.4, "score": -1.25, "stop_reason": "completed"}
    searcher.on_trial_complete("a", last)
    assert searcher.studies[0].study.best_value == 1.25


def test_a_crash_is_reported_as_failure() -> None:
    searcher = searcher_of(make_space())
    ask(searcher, "a")
    searcher.on_trial_complete("a", None, error=True)
    assert searcher.studies[0].study.trials[0].state == TrialState.FAIL


def test_what_did_not_fit_is_not_asked_for_again_nor_anything_larger() -> None:
    searcher = searcher_of(make_space(budget={"trials": 36, "max_epochs": 9}))
    first = ask(searcher, "a")
    oom_limits = {"crop_size": 48, "unfreeze_depth": 2}
    searcher.oom_limits.record(
        first.arm, type(first.config)(**{**first.config.as_dict(), **oom_limits})
    )
    searcher.on_trial_complete("a", {**result(0, math.nan, math.nan, "oom")})
    later = [a for a in everything(searcher)]
    mine = [a for a in later if a.arm == first.arm]
    over = lambda a: a.config.crop_size >= 48 and a.config.unfreeze_depth >= 2  # noqa: E731
    assert mine and not any(over(a) for a in mine)
    assert any(over(a) for a in later if a.arm != first.arm), "the other arm is not excluded"
    assert [a.number for a in later] == list(range(1, 36))


@pytest.mark.parametrize(
    ("share", "limited"),
    [
        ({}, True),
        ({"oom_had_share": None}, True),
        ({"oom_had_share": True}, True),
        ({"oom_had_share": False}, False),
    ],
    ids=["older log", "no share", "whole share", "a neighbour had it"],
)
def test_only_what_did_not_fit_into_its_whole_share_sets_a_limit(
    share: dict[str, Any], limited: bool
) -> None:
    searcher = searcher_of(make_space())
    first = ask(searcher, "a")
    last = {**result(0, math.nan, math.nan, "oom"), "ran": False, **share}
    searcher.on_trial_complete("a", last)
    assert searcher.oom_limits.excludes(first.arm, first.config) is limited
    assert searcher.studies[0].study.trials[0].state == TrialState.FAIL
    searcher._log.append("epoch", trial=first.number, result=last, done=True)
    again = StudySearcher(searcher.space, searcher._log, history=History.read(Path()))
    assert again.oom_limits.excludes(first.arm, first.config) is limited, "after a resume"


def test_no_trial_starts_after_the_deadline() -> None:
    searcher = searcher_of(make_space(), deadline_s=0.0)
    assert searcher.suggest("a") == Searcher.FINISHED


def test_a_searcher_rebuilt_from_the_log_continues_as_if_never_stopped() -> None:
    def live() -> StudySearcher:
        searcher = searcher_of(make_space())
        for name in ("a", "b", "c"):
            ask(searcher, name)
        searcher.on_trial_complete("a", result(1, 0.5, 0.5, "completed"))
        searcher.on_trial_result("b", result(1, 0.2, 0.2))
        return searcher

    def proceed(searcher: StudySearcher) -> list[Any]:
        searcher.on_trial_complete("b", result(2, 0.1, 0.2))
        asked = [ask(searcher, str(k)) for k in range(6)]
        told = [
            (t.state, t.params, t.intermediate_values)
            for s in searcher.studies
            for t in s.study.trials
        ]
        return [asked, told]

    undisturbed = proceed(live())
    live()
    history = History.read(Path())
    history.runs[0].add_result({**result(1, 0.5, 0.5, "completed"), "ran": True}, done=True)
    history.runs[1].add_result({**result(1, 0.2, 0.2), "ran": True}, done=False)
    rebuilt = StudySearcher(make_space(), EventLog(Path()), history=history)
    assert [ask(rebuilt, name).number for name in ("b", "c")] == [1, 2], "running trials first"
    assert proceed(rebuilt) == undisturbed
    assert rebuilt.remaining == 12 - 9


def test_an_extended_search_asks_for_the_rest_of_every_cohort() -> None:
    shares = {"random": 0.5, "baseline": [{"unfreeze_depth": 5, "crop_size": 48, "lr_head": 1e-3}]}
    small = make_space(cohorts=shares, budget={"trials": 8, "max_epochs": 9})
    found = everything(searcher_of(small))
    history = History.read(Path())
    for run in history.runs.values():
        run.add_result({**result(1, 0.5, 0.5, "completed"), "ran": True}, done=True)
    large = make_space(cohorts=shares, budget={"trials": 20, "max_epochs": 9})
    more = everything(StudySearcher(large, EventLog(Path()), history=history))
    assert [a.number for a in more] == list(range(8, 20))
    whole = everything(searcher_of(large))
    count = lambda runs: sorted((a.arm, a.cohort) for a in runs)  # noqa: E731
    assert count([*found, *more]) == count(whole)


def test_one_study_samples_the_arm_when_allocation_is_sampled() -> None:
    space: SearchSpace = make_space(
        compare={"arms": ["densenet161", "resnet152"], "allocation": "sampled"},
        parameters={
            "lr_head": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
            "crop_size": {
                "per_arm": {
                    "densenet161": {"type": "choice", "values": [32, 48]},
                    "resnet152": {"type": "choice", "values": [64, 96]},
                }
            },
        },
        budget={"trials": 20, "max_epochs": 9},
    )
    searcher = searcher_of(space)
    found = everything(searcher)
    assert len(searcher.studies) == 1 and len(found) == 20
    assert {a.arm for a in found} == {"densenet161", "resnet152"}
    for a in found:
        assert a.config.backbone == a.arm
        assert (a.config.crop_size <= 48) == (a.arm == "densenet161")
