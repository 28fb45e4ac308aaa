"""Surrogates of recorded searches: what they recover, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_records import SPACE, fitted, make_space, tables

from fer_tune.errors import ResultsError
from fer_tune.simulation.analytic import AnalyticWorld
from fer_tune.simulation.engine import simulate
from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.recorded.curve_trees import curves_of
from fer_tune.simulation.recorded.refusal import check_alike, check_covered, of_space
from fer_tune.simulation.recorded.world import RecordedWorld
from fer_tune.simulation.runs import SimulatedSearch
from fer_tune.space import SearchSpace

Tables = tuple[pd.DataFrame, pd.DataFrame]
RECORDED = make_space(budget={"trials": 80, "max_epochs": 9}, confirm={"seeds": 6})
TRUTH = AnalyticWorld(
    space=RECORDED, spread=0.8, noise=0.01, wobble=0.004, oom_crop=64, failed_share=0.1
)


@pytest.fixture(scope="module")
def records() -> Tables:
    return tables(simulate(RECORDED, TRUTH, Fleet.of(RECORDED, 4)))


@pytest.fixture(scope="module")
def world(records: Tables) -> RecordedWorld:
    return fitted(RECORDED, RECORDED, records)


def test_it_recovers_configurations_noise_and_failures(
    records: Tables, world: RecordedWorld
) -> None:
    other = make_space(
        cohorts={"random": 1.0},
        seeds={"search": 5},
        budget={"trials": 80, "max_epochs": 9},
        scheduler={"kind": "none"},
        stopper={"enabled": False},
    )
    found = simulate(other, world, Fleet.of(other, 4))
    ended = [run for run in found.trials if run.state == "complete"]
    truths = [TRUTH.truth(run.assignment.arm, run.assignment.config) for run in ended]
    predicted = [world._curve(run.assignment, _point(run.assignment))[-1, 0] for run in ended]
    assert np.corrcoef(predicted, truths)[0, 1] > 0.4
    states = [run.state for run in found.trials]
    assert 0.01 < states.count("failed") / 80 < 0.3
    assert all("oom" in arm.fates for arm in world._arms.values())
    seconds = np.median([run.course.seconds.mean() for run in ended])
    assert 40 < seconds < 90 and ended[0].course.setup_s == TRUTH.setup_s
    for arm in world._arms.values():
        assert 0.5 * TRUTH.wobble < np.concatenate(arm.noise.within)[:, 0].std() < 2 * TRUTH.wobble
        assert 0.3 * TRUTH.noise < arm.noise.between < 2.5 * TRUTH.noise


def test_runs_that_compute_features_have_times_of_their_own(records: Tables) -> None:
    """The first trial of each arm does, and confirmation runs, whose views are others."""
    trials, epochs = (table.copy() for table in records)
    confirmed = trials["cohort"] == "confirm"
    trials["setup_seconds"] = np.where(confirmed, 90.0, np.where(trials["trial"] < 8, 40.0, 0.1))
    numbers = trials.loc[confirmed, "trial"]
    epochs["seconds"] *= np.where(epochs["trial"].isin(numbers), 10.0, 1.0)
    first = trials.loc[~confirmed].groupby("arm")["trial"].min()
    epochs["bank_misses"] = np.where(epochs["trial"].isin([*first, *numbers]), 1, 0)
    usual = epochs.loc[epochs["bank_misses"] == 0, "seconds"].mean()
    trials.loc[~trials["trial"].isin(first), "started"] += 1e6  # none of them waits
    epochs["seconds"] *= np.where(epochs["trial"].isin(first), 50.0, 1.0)
    world = fitted(RECORDED, RECORDED, (trials, epochs))
    for arm in world._fitted.values():
        assert np.mean([pace.factor for pace in arm.searching]) == pytest.approx(1.0, rel=0.1)
    found = simulate(RECORDED, world, Fleet.of(RECORDED, 4))
    computing, others = found.trials[:2], found.trials[2:]
    assert {run.assignment.arm for run in computing} == set(RECORDED.compare.arms)
    assert min(run.course.seconds.mean() for run in computing) > 15 * usual
    trained = sum(run.held_s - run.course.setup_s for run in others)
    assert trained / sum(run.epochs for run in others) == pytest.approx(usual, rel=0.2)
    slow = np.mean([run.course.seconds.mean() for run in found.confirmations])
    assert slow == pytest.approx(10 * usual, rel=0.3)
    setups = [run.course.setup_s for run in found.trials]
    assert {0.1, 40.0} == {round(s, 6) for s in setups} and np.mean(setups) < 10
    assert {run.course.setup_s for run in found.confirmations} == {90.0}


def test_a_wait_for_features_is_that_of_the_first_trials_alone(records: Tables) -> None:
    """It is in one epoch, however many a simulated run has."""
    trials, epochs = (table.copy() for table in records)
    of_arm = trials[(trials["arm"] == "resnet50") & (trials["cohort"] != "confirm")]
    first, second = sorted(of_arm["trial"])[:2]
    begins = epochs["epoch"] == 1
    epochs["bank_misses"] = np.where(begins & (epochs["trial"] == first), 1, 0)
    epochs.loc[begins & (epochs["trial"] == second), "seconds"] += 5000.0
    arm = fitted(RECORDED, RECORDED, (trials, epochs))._arms["resnet50"]
    assert len(arm.computing) == 2, "they begin together"
    waited = arm.computing[1].seconds(np.full(9, 60.0))
    assert waited[0] > 4000 and waited[1:].max() < 200
    assert max(pace.factor for pace in arm.searching) < 5


def test_trials_that_compute_later_keep_their_share(records: Tables) -> None:
    """As where each crop size needs features of its own."""
    trials, epochs = (table.copy() for table in records)
    trials["started"] += 1e6 * trials["trial"]  # nobody waits
    searched = trials[trials["cohort"] != "confirm"]
    later = {int(t) for _, rows in searched.groupby("arm") for t in sorted(rows["trial"])[5::8]}
    epochs["bank_misses"] = epochs["trial"].isin(later).astype(int)
    epochs.loc[epochs["trial"].isin(later), "seconds"] += 3000.0
    for arm in fitted(RECORDED, RECORDED, (trials, epochs))._fitted.values():
        assert not arm.computing
        extra = [pace.seconds(np.full(9, 60.0))[0] > 2000 for pace in arm.searching]
        assert 0.05 < np.mean(extra) < 0.2


def test_the_same_run_has_the_same_course_and_another_seed_other_noise(
    world: RecordedWorld,
) -> None:
    run = simulate(RECORDED, world, Fleet()).trials[0].assignment
    first = world.course(run)
    assert (world.course(run).values == first.values).all()
    assert (world.reseeded(3).course(run).values != first.values).any()


def test_searches_differ_by_what_the_records_leave_open(world: RecordedWorld) -> None:
    runs = [run.assignment for run in simulate(RECORDED, world, Fleet()).trials]
    one, other = (
        np.array([made._curve(run, _point(run)) for run in runs])
        for made in (world.reseeded(3), world.reseeded(4))
    )
    assert 0.005 < np.abs(one - other)[:, -1, 0].mean() < 0.2


def test_no_curve_leaves_what_was_recorded(records: Tables, world: RecordedWorld) -> None:
    _, epochs = records
    known = epochs["val_macro_f1"].dropna()
    for seed in range(3):
        made = world.reseeded(seed)
        for run in simulate(RECORDED, TRUTH, Fleet(), seed=seed).trials:
            curve = made._curve(run.assignment, _point(run.assignment))[:, 0]
            assert known.min() - 0.01 <= curve.min() and curve.max() <= known.max() + 0.01


def test_the_luck_of_the_best_is_not_added_twice() -> None:
    """Records whose noise is as large as what configurations differ by."""
    space = make_space(budget={"trials": 60, "max_epochs": 9}, confirm={"seeds": 6})
    real = [simulate(space, noisy(space, seed), Fleet.of(space, 4)) for seed in range(6)]
    differences = []
    for search in real:
        world = fitted(space, space, tables(search))
        again = [simulate(space, world.reseeded(seed), Fleet.of(space, 4)) for seed in range(3)]
        differences.append(np.mean([_best(one) for one in again]) - _best(search))
    assert -0.04 < np.mean(differences) < 0.012, differences


def noisy(space: SearchSpace, seed: int) -> AnalyticWorld:
    return AnalyticWorld(space=space, noise=0.02, wobble=0.02, spread=0.1, seed=seed)


def _best(search: SimulatedSearch) -> float:
    return max(run.best for run in search.trials if run.state == "complete")


def test_trials_that_asha_stopped_do_not_look_as_good_as_those_it_spared(
    records: Tables, world: RecordedWorld
) -> None:
    """Late epochs were recorded of good trials alone."""
    trials, epochs = records
    lengths = epochs.groupby("trial")["epoch"].max()
    runs = {r.assignment.number: r.assignment
            for r in simulate(RECORDED, TRUTH, Fleet.of(RECORDED, 4)).trials}  # fmt: skip
    early = [t for t in trials.loc[trials["state"] == "pruned", "trial"] if lengths.get(t, 0) <= 3]
    late = [t for t in trials.loc[trials["state"] == "complete", "trial"] if t in runs]
    worlds = [world.reseeded(seed) for seed in range(5)]
    last = {
        name: np.mean([w._curve(runs[t], _point(runs[t]))[-1, 0] for t in numbers for w in worlds])
        for name, numbers in (("early", early), ("late", late))
    }
    true = {
        name: np.mean([TRUTH.truth(runs[t].arm, runs[t].config) for t in numbers])
        for name, numbers in (("early", early), ("late", late))
    }
    assert last["late"] - last["early"] > 0.3 * (true["late"] - true["early"]) > 0


def _point(run: Any) -> Any:
    from fer_tune.simulation.world import coordinates

    return coordinates(RECORDED, run.arm, run.config)


def test_curves_end_before_the_first_value_that_is_not_finite(records: Tables) -> None:
    _, epochs = records
    long = int(epochs.groupby("trial").size().idxmax())
    rows = epochs[epochs["trial"] == long].copy()
    rows.loc[rows["epoch"] == 3, "val_loss"] = np.nan
    assert len(curves_of(rows)[long]) == 2


# -- refusals -------------------------------------------------------------------------------------


def space_with(**parameters: Any) -> SearchSpace:
    return make_space(parameters={**SPACE["parameters"], **parameters})


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (make_space(compare={"arms": ["densenet121", "resnet18"]}), "arm resnet18 (resnet18) has"),
        (make_space(compare={"parameter": "optimizer", "arms": ["adamw", "sgd"]},
                    parameters={**SPACE["parameters"], "backbone": "resnet50"}),
         "they compare backbone, not optimizer"),
        (make_space(weights="imagenet-v1"), "weights were none"),
        (make_space(data={"validation_share": 0.3}), "data.validation_share was 0.15, not 0.3"),
        (make_space(augment={"views": "fresh"}), "augment.views was 4, not fresh"),
        (space_with(dropout={"type": "float", "low": 0, "high": 0.5}), "dropout was not sampled"),
        (space_with(lr_head={"type": "float", "low": 1e-5, "high": 1e-1, "log": True}),
         "lr_head is sampled outside"),
        (space_with(crop_size={"type": "choice", "values": [32, 224]}), "crop_size is sampled"),
        (space_with(crop_size={"type": "int", "low": 32, "high": 64}), "crop_size is sampled"),
        (space_with(unfreeze_depth=5), "unfreeze_depth 5 is outside"),
        (space_with(batch_size=32), "batch_size was 64, not 32"),
        (make_space(budget={"trials": 24, "max_epochs": 10}), "at most 9 epochs"),
    ],
)  # fmt: skip
def test_what_the_records_do_not_have_is_refused(
    records: Tables, space: SearchSpace, reason: str
) -> None:
    with pytest.raises(ResultsError) as error:
        check_covered(space, RECORDED, *records, where="here")
    assert reason in str(error.value) and str(error.value).startswith(
        "here: simulated cannot be simulated"
    )


def test_an_arm_with_few_trials_is_refused(records: Tables) -> None:
    trials, epochs = records
    few = trials[(trials["arm"] != "resnet50") | (trials["trial"] < 8)]
    with pytest.raises(ResultsError, match=r"arm resnet50 has \d configurations with at least 2"):
        check_covered(RECORDED, RECORDED, few, epochs, where="here")


def test_a_part_of_the_recorded_space_is_covered(records: Tables) -> None:
    part = make_space(
        compare={"arms": ["resnet50"]},
        parameters={
            "unfreeze_depth": 2,
            "crop_size": {"type": "int", "low": 32, "high": 64, "step": 16},
            "lr_head": {"type": "float", "low": 1e-3, "high": 1e-2, "log": True},
        },
        budget={"trials": 24, "max_epochs": 5},
    )
    check_covered(part, RECORDED, *records, where="here")
    simulate(part, fitted(part, RECORDED, records), Fleet())


def test_the_best_epochs_optimism_is_not_taken_from_test_scores_twice() -> None:
    space = make_space(budget={"trials": 40, "max_epochs": 9}, confirm={"seeds": 12})
    truth = AnalyticWorld(space=space, noise=0.005, wobble=0.03, spread=0.4)
    real = simulate(space, truth, Fleet.of(space, 4))
    simulated = simulate(space, fitted(space, space, tables(real)), Fleet.of(space, 4))
    recorded, expected = _gap(real), _gap(simulated)
    assert recorded < -0.01, "validation at the best epoch is optimistic"
    assert expected == pytest.approx(recorded, abs=0.5 * abs(recorded))


def _gap(search: SimulatedSearch) -> float:
    """Mean of test minus validation over confirmation runs."""
    return float(np.mean([run.test - run.best for run in search.confirmations]))


# -- several searches -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"weights": "imagenet-v1"}, "weights were imagenet-v1, not none"),
        ({"data": {"leaks": "keep"}}, "data.leaks was keep, not drop"),
        ({"augment": {"views": 2}}, "augment.views was 2, not 4"),
        ({"budget": {"trials": 24, "max_epochs": 12}}, "max_epochs was 12, not 9"),
    ],
)
def test_searches_that_differ_are_not_fitted_together(other: dict[str, Any], reason: str) -> None:
    first = make_space()
    check_alike([first, make_space(seeds={"search": 1})], where="A, B")
    with pytest.raises(ResultsError, match=f"differ from the first: {reason}"):
        check_alike([first, first, make_space(**other)], where="A, B, C")


def test_trials_outside_the_first_space_are_left_out(records: Tables) -> None:
    trials, _ = records
    assert len(of_space(RECORDED, trials)) == len(trials)
    narrow = space_with(crop_size=32)
    assert set(of_space(narrow, trials)["crop_size"]) == {32}
    row = trials[trials["crop_size"] == 48].iloc[0]
    values = {key: row[key].item() for key in ("unfreeze_depth", "crop_size", "lr_head")}
    baseline = make_space(
        parameters={**SPACE["parameters"], "crop_size": 32}, cohorts={"baseline": [values]}
    )
    kept = of_space(baseline, trials)
    assert set(kept["crop_size"]) == {32, 48} and row["trial"] in set(kept["trial"])
