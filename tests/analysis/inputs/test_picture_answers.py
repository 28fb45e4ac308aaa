"""Answers on single pictures as arrays: runs in order, pictures all answered, faults refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from answered_search import answered

from analysis.inputs.pictures import answers_of, score_pictures
from analysis.inputs.search import Search
from fer_tune.errors import ResultsError

TRUE = [0, 1, 2, 2]
RUNS = np.array([np.eye(3)[[0, 1, 2, 2]], np.eye(3)[[0, 1, 0, 0]], np.eye(3)[[1, 1, 2, 0]]])


def _search() -> Search:
    return answered(TRUE, {"one": RUNS}, flags={"leaked": [0], "conflicting": [3], "blank": [3]})


def test_arrays_follow_runs_and_positions() -> None:
    search = _search()
    shuffled = search.predictions.sample(frac=1, random_state=5)
    found = answers_of(replace(search, predictions=shuffled))["one"]
    assert found.positions.tolist() == [100, 101, 102, 103]
    assert found.pictures.tolist() == [f"picture-{i}" for i in range(4)]
    assert found.trials.tolist() == found.units.tolist() == [0, 1, 2]
    assert found.true.tolist() == TRUE
    assert (found.probabilities == RUNS).all()
    assert (found.predicted == RUNS.argmax(axis=2)).all()
    assert found.leaked.tolist() == [True, False, False, False]
    assert found.conflicting.tolist() == found.blank.tolist() == [False, False, False, True]
    assert found.clean.tolist() == [False, True, True, False]
    assert found.complete
    assert found.confusions[1].tolist() == [[1, 0, 0], [0, 1, 0], [2, 0, 0]]


def test_pictures_that_one_run_lacks_are_left_out() -> None:
    search = _search()
    gone = (search.predictions["trial"] == 1) & (search.predictions["position"] == 101)
    found = answers_of(replace(search, predictions=search.predictions[~gone]))["one"]
    assert found.positions.tolist() == [100, 102, 103] and not found.complete
    assert (found.probabilities == RUNS[:, [0, 2, 3]]).all()


def test_runs_of_one_study_are_averaged() -> None:
    values = np.array([1.0, 3.0, 10.0])
    seeds = answers_of(answered(TRUE, {"one": RUNS}))["one"]
    studies = answers_of(answered(TRUE, {"one": RUNS}, replicates=2))["one"]
    assert seeds.by_unit(values).tolist() == [1, 3, 10]
    assert studies.units.tolist() == [0, 1, 0]
    assert studies.by_unit(values).tolist() == [5.5, 3]


def test_flags_that_were_not_recorded_are_not_set() -> None:
    search = _search()
    unknown = search.predictions.assign(leaked=None, conflicting=None)
    found = answers_of(replace(search, predictions=unknown))["one"]
    assert not found.leaked.any() and found.clean.all()


def test_scores_are_the_same_from_answers_read_before() -> None:
    search = _search()
    assert repr(score_pictures(search)) == repr(score_pictures(search, answers_of(search)))
    assert score_pictures(search)["one"].clean_accuracy == pytest.approx((1 + 0.5 + 1) / 3)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("probabilities", [0.5, 0.5], "one probability per class"),
        ("probabilities", None, "one probability per class"),
        ("probabilities", [0.5, 0.2, 0.1], "do not sum to 1"),
        ("probabilities", [1.5, -0.3, -0.2], "do not sum to 1"),
        ("probabilities", [float("nan")] * 3, "do not sum to 1"),
        ("predicted_class", "bored", "does not list"),
    ],
)
def test_answers_of_another_kind_are_refused(column: str, value: object, said: str) -> None:
    search = _search()
    spoilt = search.predictions.copy()
    spoilt[column] = spoilt[column].astype(object)
    spoilt.at[2, column] = value
    with pytest.raises(ResultsError, match=said):
        answers_of(replace(search, predictions=spoilt))


def test_runs_without_a_common_picture_are_refused() -> None:
    search = _search()
    moved = search.predictions.copy()
    moved.loc[moved["trial"] == 1, "position"] += 1000
    with pytest.raises(ResultsError, match="no test picture in common"):
        answers_of(replace(search, predictions=moved))
