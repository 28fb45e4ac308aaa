"""A quick run of the simulation of the verdict: rates within bounds, and the check can fail.

Seeds are fixed. Bounds are those that the verdict is to keep (3 to 7 % false positives, 93 to 97 %
coverage), widened by two Monte-Carlo standard errors of that few searches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis.inputs.pictures import score_pictures
from analysis.settings import Settings
from analysis.verdict.compare import compare
from benchmarks.verdict_simulation import hazards, judged, tables, verdicts
from benchmarks.verdict_simulation.folders import write_search
from benchmarks.verdict_simulation.studies import EPOCHS, FACTOR, GRACE, RUNGS, Rungs
from benchmarks.verdict_simulation.verdicts import Cell, Design, Setting, rate
from benchmarks.verdict_simulation.world import make_space
from fer_tune.records import Results
from fer_tune.space import TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.studies.asha import SCORE, StudyAsha

SEARCHES = 700
#: Two standard errors of a rate of 5 %.
SLACK = 2 * (0.05 * 0.95 / SEARCHES) ** 0.5


@pytest.fixture(scope="module")
def families() -> Cell:
    setting = Setting(design=Design(studies=5, seeds=2), luck="large", seed_spread=0.6)
    return verdicts.simulate(setting, SEARCHES, np.random.default_rng(1), truth_studies=200)


@pytest.fixture(scope="module")
def single() -> Cell:
    setting = Setting(design=Design(studies=1, seeds=5), luck="large", seed_spread=0.6)
    return verdicts.simulate(setting, SEARCHES, np.random.default_rng(2), truth_studies=200)


def test_five_studies_per_arm_keep_the_nominal_rates(families: Cell) -> None:
    excluded, _ = rate(families.rates[0.0]["excluded"])
    assert 0.03 - SLACK <= excluded <= 0.07 + SLACK
    for effect in verdicts.EFFECTS:
        covered, _ = rate(families.rates[effect]["covered"])
        assert 0.93 - SLACK <= covered <= 0.97 + SLACK
    assert rate(families.rates[0.0]["wrong"])[0] <= excluded
    assert rate(families.rates[3.0]["better"])[0] > 0.9, "three points are found"


def test_seeds_of_one_study_read_as_families_are_far_outside(single: Cell) -> None:
    excluded, error = rate(single.rates[0.0]["excluded"])
    assert excluded > 0.07 + SLACK + 3 * error
    covered, error = rate(single.rates[1.0]["covered"])
    assert covered < 0.93 - SLACK - 3 * error
    of_the_two, _ = rate(single.rates[1.0]["covered_found"])
    assert 0.93 - SLACK <= of_the_two <= 0.97 + SLACK, "of the two found they speak truly"


def test_pictures_that_suit_one_arm_are_outside_the_interval() -> None:
    setting = Setting(design=Design(studies=5, seeds=2), luck="small", seed_spread=0.6)
    rates = verdicts.suiting_pictures(setting, 1.0, 500, np.random.default_rng(3))
    assert rate(rates["covered"])[0] >= 0.93 - SLACK
    assert rate(rates["covered_anywhere"])[0] < 0.85


def test_the_same_generator_gives_the_same_rates() -> None:
    setting = next(verdicts.settings())
    one, two = (
        verdicts.simulate(setting, 100, np.random.default_rng(4), truth_studies=50)
        for _ in range(2)
    )
    for effect, rates in one.rates.items():
        for name, values in rates.items():
            np.testing.assert_array_equal(values, two.rates[effect][name])


def test_the_rungs_in_arrays_stop_what_the_real_ones_stop() -> None:
    studies, trials = 6, 15
    curves = np.random.default_rng(5).normal(size=(trials, 1, studies, EPOCHS)).cumsum(axis=-1)
    best = np.maximum.accumulate(curves, axis=-1)
    rungs = Rungs(1, studies, trials)
    asha = StudyAsha(max_epochs=EPOCHS, grace_epochs=GRACE, reduction_factor=FACTOR)
    stopped = 0
    for trial in range(trials):
        lives = rungs.enter(trial, best[trial])[0]
        for study in range(studies):
            run = _assignment(trial * studies + study, study)
            ended = any(
                asha.judge(run, {"epoch": epoch + 1, SCORE: best[trial, 0, study, epoch]}) == "STOP"
                for epoch in range(EPOCHS)
            )
            assert ended == (not lives[study]), (trial, study)
            stopped += ended
    assert stopped == rungs.stopped and 0 < stopped < studies * trials
    assert sorted(asha.rungs()["arm/0"]) == list(RUNGS)


def _assignment(number: int, replicate: int) -> Assignment:
    return Assignment(
        number=number,
        arm="arm",
        replicate=replicate,
        cohort="tpe",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=TrialConfig(backbone="resnet152", unfreeze_depth=0, crop_size=48),
    )


def test_other_estimators_find_what_is_not_there() -> None:
    found = hazards.over_seeds(150, np.random.default_rng(6))
    assert found["Welch's interval"][0] < 0.07 < found["percentile bootstrap"][0]
    rates = hazards.checkpoints(60, 1.5, np.random.default_rng(7))
    assert rates["Welch"][0] < 0.1 < 0.3 < rates["McNemar"][0]


@pytest.mark.parametrize("scenario", [judged.AA, judged.PLANTED], ids=["aa", "planted"])
def test_a_whole_search_is_judged_from_its_folder(
    scenario: judged.Scenario, tmp_path: Path
) -> None:
    space = scenario.space(0)
    search = analysis.load(write_search(space, tmp_path))
    (pair,) = compare(search, score_pictures(search), Settings())
    assert not pair.broken, [check.detail for check in pair.broken]
    assert pair.scope == "families" and pair.unit == "study"
    assert search.trials["arm"].value_counts().to_dict() == dict.fromkeys(scenario.arms, 40)
    assert {"complete", "overfit", "pruned", "diverged"} == set(search.trials["state"])
    traceable = next(check for check in pair.checks if check.id == "traceable")
    assert traceable.status == "pass", traceable.detail
    if scenario is judged.PLANTED:
        assert (pair.kind, pair.first) == ("better", "clean")
        assert search.confirmations.groupby("arm")["label_noise"].first().to_dict() == scenario.arms


def test_a_whole_search_is_the_same_again(tmp_path: Path) -> None:
    frames = []
    for name in ("one", "two"):
        space = make_space(judged.AA.arms, seed=8, trials=20, replicates=1, seeds=2)
        write_search(space, tmp_path / name)
        frames.append(Results(tmp_path / name).read("trials"))
    assert frames[0].equals(frames[1])


def outcome(value: float, kind: str = "inconclusive", **changes: Any) -> judged.Outcome:
    ends = {"low": value - 1.0, "high": value + 1.0}
    return judged.Outcome(**{"kind": kind, "winner": "clean", "value": value, **ends, **changes})


def test_a_verdict_for_the_wrong_arm_is_counted() -> None:
    found = [
        outcome(2.0, "better"),
        outcome(-2.0, "better", winner="noisy"),
        outcome(2.2),
        outcome(1.8),
    ]
    summary = judged.Summary.of(judged.PLANTED, found)
    assert (summary.wrong, summary.excluded) == (0.25, 1.0)
    # The mean of the others: 0.67 for the first, 2.0 for the second, 0.6 and 0.73 for the rest.
    assert summary.covered == 0.0
    twins = judged.Summary.of(judged.AA, found)
    assert (twins.wrong, twins.covered) == (0.5, 0.0), "no arm is better than its twin"


def test_tables_have_a_column_per_design_and_a_row_per_setting(
    families: Cell, single: Cell
) -> None:
    lines = tables.false_positives([single, families]).splitlines()
    assert lines[0] == "| search luck | seed spread | R = 1, K = 5 | R = 5, K = 2 |"
    reported = [tables.percent(*rate(cell.rates[0.0]["excluded"])) for cell in (single, families)]
    assert lines[2:] == [f"| large | 0.6 | {reported[0]} | {reported[1]} |"]
    assert len(tables.verdicts([single, families]).splitlines()) == 2 + len(verdicts.EFFECTS)
