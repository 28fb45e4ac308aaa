from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from fer_tune.records import CONFIG_COLUMNS, Results
from fer_tune.tuning.log.events import History
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.phases import frozen_choices
from fer_tune.tuning.studies.confirmation import choose, missing_runs, number_runs, slowest_first
from tests.tuning.conftest import make_space


def trial(number: int, value: float, state: str = "complete", **changes: Any) -> dict[str, Any]:
    texts = {"string"}
    config = {f.name: ("plain" if str(f.type) in texts else 1) for f in CONFIG_COLUMNS}
    return {
        **config,
        "trial": number,
        "arm": "densenet161" if number % 2 == 0 else "resnet152",
        "replicate": 0,
        "cohort": "tpe",
        "seed": number,
        "state": state,
        "best_epoch": 3,
        "best_val_macro_f1": value,
        "best_val_loss": 1 - value,
        "test_macro_f1": None,
        **changes,
    }


def test_the_best_eligible_trial_of_every_study_is_chosen() -> None:
    trials = pd.DataFrame(
        [
            trial(0, 0.5),
            trial(2, 0.9, "pruned"),
            trial(4, 0.7, "overfit"),
            trial(6, 0.7),
            trial(8, 0.99, cohort="confirm"),
            trial(1, 0.4),
            trial(3, 0.6, replicate=1),
            trial(5, 0.9, "failed"),
        ]
    )
    chosen = {(c["arm"], c["replicate"]): c["trial"] for c in choose(trials, "macro_f1")}
    assert chosen == {("densenet161", 0): 4, ("resnet152", 0): 1, ("resnet152", 1): 3}
    losses = {c["arm"]: c["trial"] for c in choose(trials, "loss") if c["replicate"] == 0}
    assert losses == {"densenet161": 4, "resnet152": 1}
    assert choose(trials[trials["state"] == "pruned"], "macro_f1") == []


def test_choices_are_frozen_at_the_first_call(tmp_path: Any) -> None:
    results = Results(tmp_path)
    results.write_manifest({"choice_frozen_at": None, "choices": []})
    results.append("trials", [trial(0, 0.5), trial(1, 0.4)], part="a")
    first = frozen_choices(results, "macro_f1", History(identity={}))
    results.append("trials", [trial(2, 0.99)], part="b")
    assert frozen_choices(results, "macro_f1", History(identity={})) == first
    assert [c["trial"] for c in first] == [0, 1]


def test_an_extension_chooses_anew_and_keeps_what_still_holds(tmp_path: Any) -> None:
    results = Results(tmp_path)
    old = [{"arm": "densenet161", "replicate": 0, "trial": 0, "runs": [7, 8]}]
    old += [{"arm": "resnet152", "replicate": 0, "trial": 1, "runs": [9, 10]}]
    before = {"choices": old, "choice_frozen_at": 5.0}
    rows = [trial(0, 0.5), trial(1, 0.4)]
    history = History(identity={})
    for choice, numbers in zip(
        choose(pd.DataFrame(rows), "macro_f1"), ([7, 8], [9, 10]), strict=True
    ):
        for run in missing_runs(make_space(), [{**choice, "runs": numbers}], 2, pd.DataFrame(rows)):
            history.runs[run.number] = RunHistory(assignment=run, planned="confirm")
    for better, frozen_at in ((None, 5.0), (trial(2, 0.99, unfreeze_depth=2), None)):
        results.write_manifest({"choice_frozen_at": None, "choices": [], "superseded": [before]})
        results.append("trials", [*rows, *([better] if better else [])], part="all")
        choices = frozen_choices(results, "macro_f1", history)
        manifest = results.manifest()
        if frozen_at:
            assert [c["runs"] for c in choices] == [[7, 8], [9, 10]]
            assert manifest["choice_frozen_at"] == frozen_at and manifest["superseded"] == []
        else:
            assert [(c["trial"], c["runs"]) for c in choices] == [(2, []), (1, [9, 10])]
            assert manifest["choice_frozen_at"] > 5.0 and manifest["superseded"] == [before]


def test_runs_with_a_score_are_not_repeated_and_seeds_pair_across_arms() -> None:
    space = make_space()
    searched = pd.DataFrame([trial(0, 0.5), trial(1, 0.4)])
    choices = choose(searched, "macro_f1")
    choices = number_runs(choices, 3, 2)
    runs = missing_runs(space, choices, 3, searched)
    assert [r.number for r in runs] == [2, 3, 4, 5, 6, 7]
    by_arm = {arm: [r.seed for r in runs if r.arm == arm] for arm in space.compare.arms}
    assert by_arm["densenet161"] == by_arm["resnet152"] and len(set(by_arm["resnet152"])) == 3
    assert len({r.weights_seed for r in runs}) == len({r.view_seed for r in runs}) == 3
    ended = [
        trial(
            r.number, 0.5, cohort="confirm", arm=r.arm, test_macro_f1=None if r.number == 3 else 0.5
        )
        for r in runs
        if r.number in (2, 3, 5)
    ]
    choices = number_runs(choices, 4, 8)
    later = missing_runs(space, choices, 4, pd.concat([searched, pd.DataFrame(ended)]))
    assert [r.number for r in later] == [3, 4, 6, 7, 8, 9], "one that failed runs again"
    assert {r.number: r.seed for r in later}[4] == {r.number: r.seed for r in runs}[4]


def test_the_slowest_runs_come_first() -> None:
    searched = pd.DataFrame([trial(0, 0.5), trial(1, 0.4)])
    choices = number_runs(choose(searched, "macro_f1"), 2, 2)
    runs = missing_runs(make_space(), choices, 2, searched)
    epochs = pd.DataFrame({"trial": [0, 0, 1, 1], "seconds": [1.0, 2.0, 5.0, 4.0]})
    assert [r.number for r in runs] == [2, 3, 4, 5], "numbers do not depend on time"
    assert [r.arm for r in runs[:2]] == ["densenet161", "resnet152"]
    assert [r.number for r in slowest_first(runs, choices, epochs)] == [3, 5, 2, 4]


@pytest.mark.parametrize("state", ["complete", "overfit"])
def test_eligible_states(state: str) -> None:
    assert len(choose(pd.DataFrame([trial(0, 0.5, state)]), "macro_f1")) == 1
