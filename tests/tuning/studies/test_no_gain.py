"""When more trials no longer pay: the expected gain, the noise, and one decision for all arms."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.tune.search import Searcher

from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.studies.no_gain import (
    LEAST_TRIALS,
    expected_gain,
    seed_spread,
    without_gain,
)
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space

# -- the gain -------------------------------------------------------------------------------------


def test_the_gain_is_that_of_an_exponential_tail() -> None:
    draws = np.random.default_rng(0)
    samples = draws.exponential(0.02, (4000, 60))
    expected = np.mean([expected_gain(values[:40], 20) for values in samples])
    found = np.mean(np.maximum(0, samples[:, 40:].max(axis=1) - samples[:, :40].max(axis=1)))
    assert expected == pytest.approx(found, rel=0.1)


def test_the_gain_of_few_values_by_hand() -> None:
    """Four of 9 exceed the fifth largest, by 2.5 on average; two more are the 10th and 11th."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert expected_gain(values, 2) == pytest.approx(2.5 * (1 / 10 + 1 / 11))


def test_a_score_with_an_upper_bound_gains_no_more_than_expected() -> None:
    draws = np.random.default_rng(1)
    samples = 0.6 - 0.3 * draws.beta(1.5, 3, (2000, 48))
    expected = np.mean([expected_gain(values[:24], 24) for values in samples])
    found = np.mean(np.maximum(0, samples[:, 24:].max(axis=1) - samples[:, :24].max(axis=1)))
    assert found < expected < 6 * found


def test_more_trials_gain_more_and_pending_ones_take_some_of_it() -> None:
    values = list(np.random.default_rng(2).normal(0.5, 0.05, 24))
    gains = [expected_gain(values, more) for more in (0, 1, 10, 100)]
    assert gains[0] == 0 and gains == sorted(gains) and len(set(gains)) == 4
    both = expected_gain(values, 12)
    assert expected_gain(values, 8, pending=4) == pytest.approx(both - expected_gain(values, 4))
    assert expected_gain([2 * value for value in values], 10) == pytest.approx(2 * gains[2])


def test_without_a_tail_the_gain_is_unknown_and_equal_values_have_none() -> None:
    assert math.isinf(expected_gain([0.1, 0.2, 0.3, 0.4, 0.5], 10))
    assert expected_gain([0.5] * 12, 10) == 0


# -- the noise ------------------------------------------------------------------------------------


def test_the_noise_is_that_of_the_last_epochs_of_good_trials() -> None:
    draws = np.random.default_rng(3)
    rise = 0.6 * (1 - np.exp(-np.arange(1, 13) / 2.0))
    good = [rise + draws.normal(0, 0.01, 12) for _ in range(200)]
    bad = [rise / 3 + draws.normal(0, 0.1, 12) for _ in range(200)]
    found = seed_spread([(list(curve), float(curve.max())) for curve in good + bad])
    assert found == pytest.approx(0.01, rel=0.15)


def test_few_or_short_curves_give_no_noise() -> None:
    assert seed_spread([([0.1, 0.2, 0.3, 0.4], 0.4)] * 2) is None
    assert seed_spread([([0.1, 0.2, 0.3], 0.3)] * 9) is None


# -- the decision ---------------------------------------------------------------------------------

EPOCHS = 6
#: Around a height by arm and trial; a tail of 0.002 and epochs that vary by 0.05.
HEIGHTS = np.random.default_rng(4).uniform(0.5, 0.52, 400)
WOBBLE = np.random.default_rng(5).normal(0, 0.05, (400, EPOCHS))


def space_of(**changes: Any) -> SearchSpace:
    return make_space(
        **{
            "budget": {"trials": 60, "max_epochs": EPOCHS},
            "scheduler": {"kind": "none"},
            "stop_when": "no_gain",
            "confirm": {"seeds": 2},
            "sampler": "random",  # which configurations are proposed makes no difference here
            **changes,
        }
    )


class Drive:
    """A search whose trials go one at a time; every one runs to its end.

    Args:
        gaining: an arm whose trials keep getting better.
    """

    def __init__(
        self, folder: Path, space: SearchSpace, history: History | None = None, gaining: str = ""
    ) -> None:
        self.history = history or History(identity={"space": space.as_dict()})
        identity = {"schema_version": 1, "fingerprint": "f", "space": space.as_dict()}
        self.log = EventLog(folder) if history else EventLog.begin(folder, identity)
        self.searcher = StudySearcher(space, self.log, history=self.history)
        self._gaining = gaining

    def play(self, most: int = 10**6) -> list[Assignment]:
        played: list[Assignment] = []
        while len(played) < most:
            trial_id = f"t{len(played)}"
            given = self.searcher.suggest(trial_id)
            if given == Searcher.FINISHED:
                break
            run = Assignment.from_dict(given["run"])
            played.append(run)
            self._train(trial_id, run)
        return played

    def _train(self, trial_id: str, run: Assignment) -> None:
        n = run.number
        top = HEIGHTS[n] + (1.0 * n if run.arm == self._gaining else 0.0)
        curve = top + WOBBLE[n]
        curve[0] = curve.max() if run.arm == self._gaining else top + 0.2  # the best, at its start
        for epoch, value in enumerate(curve, start=1):
            done = epoch == EPOCHS
            result = {
                "epoch": epoch,
                "val_macro_f1": float(value),
                "score": float(curve[:epoch].max()),
                "ran": True,
                "stop_reason": "completed" if done else None,
            }
            self.log.append("epoch", trial=n, result=result, done=done)
            self.history.run(run).add_result(result, done=done)
            if done:
                self.searcher.on_trial_complete(trial_id, result)
            else:
                self.searcher.on_trial_result(trial_id, result)


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (folder / EVENTS_FILE).read_text().splitlines()[1:]
    return [event for line in lines if (event := json.loads(line))["kind"] == kind]


@pytest.mark.parametrize("replicates", [1, 2])
def test_all_studies_end_together_with_equal_trials(tmp_path: Path, replicates: int) -> None:
    compare = {"arms": ["densenet161", "resnet152"], "replicates": replicates}
    drive = Drive(tmp_path, space_of(compare=compare))
    played = drive.play()
    per_study = {(run.arm, run.replicate) for run in played}
    counts = [sum((r.arm, r.replicate) == study for r in played) for study in per_study]
    assert counts == [LEAST_TRIALS] * 2 * replicates
    (decision,) = events(tmp_path, "no_gain")
    assert decision["trials"] == LEAST_TRIALS
    assert decision["left"] == 60 // (2 * replicates) - LEAST_TRIALS
    for figures in decision["arms"].values():
        assert 0 < figures["gain"] < figures["noise"]
    assert drive.searcher.remaining == 0
    assert f"after {LEAST_TRIALS} per study" in without_gain(decision)


def test_one_arm_that_may_still_gain_keeps_all_going(tmp_path: Path) -> None:
    assert len(Drive(tmp_path, space_of(), gaining="resnet152").play()) == 60
    assert events(tmp_path, "no_gain") == []


def test_without_the_rule_the_budget_is_used_up(tmp_path: Path) -> None:
    assert len(Drive(tmp_path, space_of(stop_when=None)).play()) == 60


@pytest.mark.parametrize("seeds", [2, 1000])
def test_more_confirmation_seeds_can_resolve_less_noise(tmp_path: Path, seeds: int) -> None:
    played = Drive(tmp_path, space_of(confirm={"seeds": seeds})).play()
    assert (len(played) == 2 * LEAST_TRIALS) == (seeds == 2)


def test_a_resume_keeps_the_decision_and_an_extension_makes_it_anew(tmp_path: Path) -> None:
    space = space_of()
    ended = len(Drive(tmp_path, space).play())
    history = History.read(tmp_path)
    assert history.no_gain == {
        key: events(tmp_path, "no_gain")[0][key] for key in ("trials", "left", "arms")
    }
    resumed = Drive(tmp_path, space, history)
    assert resumed.searcher.remaining == 0 and resumed.play() == []
    assert len(events(tmp_path, "no_gain")) == 1, "no session decides again"
    larger = space_of(budget={"trials": 80, "max_epochs": EPOCHS}, stop_when=None)
    history.extend(larger.as_dict()["budget"])
    assert history.no_gain is None
    assert len(Drive(tmp_path, larger, history).play()) == 80 - ended


@pytest.mark.parametrize("cut", [3, 2 * LEAST_TRIALS - 1, 2 * LEAST_TRIALS])
def test_interrupted_anywhere_it_ends_at_the_same_trial(tmp_path: Path, cut: int) -> None:
    space = space_of(sampler="tpe")
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = Drive(tmp_path / "whole", space).play()
    first = Drive(tmp_path / "cut", space).play(cut)
    rest = Drive(tmp_path / "cut", space, History.read(tmp_path / "cut")).play()
    assert first + rest == whole
    decisions = [events(tmp_path / name, "no_gain")[0]["arms"] for name in ("whole", "cut")]
    assert decisions[0] == decisions[1]
