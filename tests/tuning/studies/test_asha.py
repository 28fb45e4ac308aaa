"""Per-study ASHA without Ray running: whom it stops, and that its rungs come back."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from fer_tune.space import TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.studies.asha import StudyAsha

STOP, GO = TrialScheduler.STOP, TrialScheduler.CONTINUE


def assignment(number: int, arm: str = "a", replicate: int = 0) -> Assignment:
    return Assignment(
        number=number,
        arm=arm,
        replicate=replicate,
        cohort="tpe",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=TrialConfig(backbone="resnet18"),
    )


def trial(number: int, arm: str = "a", replicate: int = 0) -> Any:
    run = assignment(number, arm, replicate).as_dict()
    return SimpleNamespace(trial_id=f"t{number}", config={"run": run})


def scheduler() -> StudyAsha:
    return StudyAsha(max_epochs=9, grace_epochs=1, reduction_factor=3)


def report(asha: StudyAsha, who: Any, epoch: int, score: float) -> str:
    result = {"epoch": epoch, "score": score}
    return asha.on_trial_result(None, who, result)  # type: ignore[arg-type]


def test_a_trial_is_compared_with_its_own_study_alone() -> None:
    asha = scheduler()
    strong = [trial(k) for k in range(3)]
    weak, other = trial(3, arm="b"), trial(4, replicate=1)
    assert [report(asha, who, 1, 0.9) for who in strong] == [GO, GO, GO]
    assert report(asha, weak, 1, 0.1) == GO
    assert report(asha, other, 1, 0.1) == GO
    late = trial(5)
    assert report(asha, late, 1, 0.1) == STOP


def test_values_that_are_not_numbers_do_not_enter_rungs() -> None:
    asha = scheduler()
    who = trial(0)
    assert report(asha, who, 1, math.nan) == GO
    asha.on_trial_complete(None, who, {"epoch": 1, "score": math.nan})
    assert not any(values for rungs in asha.rungs().values() for values in rungs.values())


@pytest.mark.parametrize("score", [0.1, 0.95])
def test_recalled_rungs_decide_alike(score: float) -> None:
    asha, runs = scheduler(), []
    for k in range(4):
        reported = {"epoch": 1, "score": 0.5 + k / 10, "ran": True}
        run = RunHistory(assignment=assignment(k), planned="tpe")
        run.add_result(reported, done=False)
        runs.append(run)
        report(asha, trial(k), 1, reported["score"])
    recalled = scheduler()
    recalled.replay(runs)
    assert (
        recalled.rungs()
        == asha.rungs()
        == {"a/0": {9: {}, 3: {}, 1: {0: 0.5, 1: 0.6, 2: 0.7, 3: 0.8}}}
    )
    decisions = [report(each, trial(9), 1, score) for each in (asha, recalled)]
    assert decisions[0] == decisions[1] == (GO if score > 0.5 else STOP)


def test_a_report_that_is_repeated_decides_nothing() -> None:
    asha = scheduler()
    for k in range(4):
        report(asha, trial(k), 1, 0.9)
    assert report(asha, trial(9), 1, 0.1) == STOP
    before = asha.rungs()
    assert report(asha, trial(9), 1, 0.1) == GO and asha.rungs() == before
