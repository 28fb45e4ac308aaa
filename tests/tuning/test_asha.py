"""Per-study ASHA without Ray running: whom it stops, and that its rungs come back."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from fer_tune.space import TrialConfig
from fer_tune.tuning.asha import StudyAsha
from fer_tune.tuning.assignment import Assignment

STOP, GO = TrialScheduler.STOP, TrialScheduler.CONTINUE


def trial(number: int, arm: str = "a", replicate: int = 0) -> Any:
    assignment = Assignment(
        number=number,
        arm=arm,
        replicate=replicate,
        cohort="tpe",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=TrialConfig(backbone="resnet18"),
    )
    return SimpleNamespace(trial_id=f"t{number}", config={"run": assignment.as_dict()})


def scheduler() -> StudyAsha:
    return StudyAsha(max_epochs=9, grace_epochs=1, reduction_factor=3)


def report(asha: StudyAsha, who: Any, epoch: int, score: float) -> str:
    result = {"training_iteration": epoch, "score": score}
    return asha.on_trial_result(None, who, result)  # type: ignore[arg-type]


def test_a_trial_is_compared_with_its_own_study_alone() -> None:
    asha = scheduler()
    strong = [trial(k) for k in range(3)]
    weak, other = trial(3, arm="b"), trial(4, replicate=1)
    for who in (*strong, weak, other):
        asha.on_trial_add(None, who)
    assert [report(asha, who, 1, 0.9) for who in strong] == [GO, GO, GO]
    assert report(asha, weak, 1, 0.1) == GO
    assert report(asha, other, 1, 0.1) == GO
    late = trial(5)
    asha.on_trial_add(None, late)
    assert report(asha, late, 1, 0.1) == STOP


def test_values_that_are_not_numbers_do_not_enter_rungs() -> None:
    asha = scheduler()
    who = trial(0)
    asha.on_trial_add(None, who)
    assert report(asha, who, 1, math.nan) == GO
    asha.on_trial_complete(None, who, {"training_iteration": 1, "score": math.nan})
    assert asha.rungs() == {"a/0": {9: {}, 3: {}, 1: {}}}


@pytest.mark.parametrize("score", [0.1, 0.95])
def test_restored_rungs_decide_alike(score: float) -> None:
    asha = scheduler()
    for k in range(4):
        asha.on_trial_add(None, trial(k))
        report(asha, trial(k), 1, 0.5 + k / 10)
    restored = scheduler()
    restored.set_rungs(asha.rungs())
    assert restored.rungs() == asha.rungs()
    decisions = []
    for each in (asha, restored):
        each.on_trial_add(None, trial(9))
        decisions.append(report(each, trial(9), 1, score))
    assert decisions[0] == decisions[1] == (GO if score > 0.5 else STOP)
