"""Scores against scikit-learn; the bootstrap over pictures against a plain loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_search import Plan, write
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from analysis import load
from analysis.estimators.pictures.images import macro_f1_interval, resampled_macro_f1
from analysis.inputs.pictures import score_pictures
from analysis.settings import Settings
from analysis.validity.check import Case
from analysis.validity.floors import regression
from fer_tune.scores import accuracy, class_f1, confusion, macro_f1


def answers(n: int = 120, classes: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    return true, np.where(rng.random(n) < 0.6, true, rng.integers(0, classes, n))


@pytest.mark.parametrize("absent", [None, 2])
def test_scores_agree_with_scikit_learn(absent: int | None) -> None:
    true, predicted = answers()
    if absent is not None:
        true, predicted = true[true != absent], predicted[true != absent]
        predicted = np.where(predicted == absent, 0, predicted)
    counts = confusion(true, predicted, 6)
    assert (counts == confusion_matrix(true, predicted, labels=range(6))).all()
    assert float(accuracy(counts)) == pytest.approx(accuracy_score(true, predicted))
    theirs = f1_score(true, predicted, labels=range(6), average=None, zero_division=0)
    assert class_f1(counts) == pytest.approx(theirs)
    assert float(macro_f1(counts)) == pytest.approx(theirs.mean())


def test_scores_work_on_stacks_and_on_nothing() -> None:
    counts = np.stack([np.eye(3), np.zeros((3, 3))])
    assert macro_f1(counts).tolist() == [1.0, 0.0]
    assert accuracy(counts).tolist() == [1.0, 0.0]


def test_bootstrap_is_the_plain_loop() -> None:
    true, first = answers(seed=1)
    _, second = answers(seed=2)
    predicted = np.stack([first, second])
    ours = resampled_macro_f1(true, predicted, 6, np.random.default_rng(4), resamples=7)
    drawn = np.random.default_rng(4).integers(true.size, size=(7, true.size))
    theirs = [
        [
            f1_score(true[i], row[i], labels=range(6), average="macro", zero_division=0)
            for row in predicted
        ]
        for i in drawn
    ]
    assert ours == pytest.approx(np.array(theirs))


def test_interval_shrinks_with_pictures_and_holds_the_estimate() -> None:
    few, many = answers(100), answers(2500)
    widths = []
    for true, predicted in (few, many):
        rng = np.random.default_rng(0)
        estimate = macro_f1_interval(
            true,
            predicted[None],
            6,
            resampled_macro_f1(true, predicted[None], 6, rng, resamples=400),
        )
        assert estimate.low is not None and estimate.high is not None
        assert estimate.low < estimate.value < estimate.high
        widths.append(estimate.high - estimate.low)
    # A fifth of the width for twenty-five times the pictures, within the bootstrap's noise.
    assert widths[1] / widths[0] == pytest.approx(0.2, rel=0.35)


def test_a_floor_is_judged_by_the_difference_on_the_same_pictures(tmp_path: Path) -> None:
    """Intervals that overlap say little: what is hard for both moves both."""
    search = load(write(tmp_path, Plan()))
    scores = score_pictures(search)
    luck = np.random.default_rng(0).normal(0, 0.05, scores["majority"].resampled.size)
    noise = np.random.default_rng(1).normal(0, 0.01, luck.size)

    def status(shift: float) -> str:
        floor = replace(scores["logistic_regression"], resampled=0.5 + luck)
        arms = {
            arm: replace(scores[arm], resampled=0.5 + shift + luck + noise) for arm in search.arms
        }
        case = Case(
            search=search,
            arms=list(search.arms),
            scores={**arms, "logistic_regression": floor},
            settings=Settings(),
        )
        return regression(case).status

    assert status(0.03) == "pass"  # a third of the width of each alone
    assert status(0.01) == "broken" and status(-0.03) == "broken"
