"""The evaluation of one model: scores against other implementations, subsets, text."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from analysis.estimators.proportion import clopper_pearson_ends
from analysis.outputs.evaluation import evaluation
from analysis.outputs.evaluation_text import MARKDOWN_HEAD, evaluation_text, markdown_row

CLASSES = ("angry", "happy", "sad", "surprise")


@pytest.fixture(scope="module")
def answered() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (n, 4), true classes (n,) without class 3, clean mask (n,)."""
    rng = np.random.default_rng(5)
    true = rng.integers(0, 3, 300)
    probabilities = rng.dirichlet(np.ones(4), 300)
    probabilities[np.arange(300), true] += 0.4
    return probabilities / probabilities.sum(axis=1, keepdims=True), true, rng.random(300) < 0.9


def test_scores_agree_with_scikit_learn(answered: tuple[np.ndarray, ...]) -> None:
    probabilities, true, clean = answered
    found = evaluation(probabilities, true, clean, CLASSES)
    for name, mask in (("all", np.ones_like(clean)), ("clean", clean)):
        subset, labels = found[name], true[mask]
        assert subset is not None
        predicted = probabilities[mask].argmax(axis=1)
        of = {"labels": range(4), "zero_division": 0.0}
        assert subset["pictures"] == len(labels)
        assert subset["accuracy"]["value"] == metrics.accuracy_score(labels, predicted)
        assert np.isclose(
            subset["macro_f1"]["value"], metrics.f1_score(labels, predicted, average="macro", **of)
        )
        wanted = metrics.precision_recall_fscore_support(labels, predicted, **of)
        rows = subset["classes"][:3]
        for key, values in zip(("precision", "recall", "f1"), wanted, strict=False):
            assert np.allclose([row[key]["value"] for row in rows], values[:3])
        assert [row["support"] for row in subset["classes"]] == list(wanted[3])
        counts = metrics.confusion_matrix(labels, predicted, labels=range(4))
        assert subset["confusion"]["counts"] == counts.tolist()
        loss = metrics.log_loss(labels, probabilities[mask], labels=range(4))
        assert np.isclose(subset["calibration"]["log_likelihood"]["value"], loss)


def test_a_class_without_pictures_has_no_recall(answered: tuple[np.ndarray, ...]) -> None:
    found = evaluation(*answered, CLASSES)["all"]
    assert found is not None
    absent = found["classes"][3]
    assert absent["support"] == 0 and absent["recall"] is None and absent["f1"]["value"] == 0
    assert found["confusion"]["shares"][3] == found["confusion"]["low"][3] == [None] * 4
    assert evaluation_text({"all": found, "clean": None}, list(CLASSES)).count("–") > 4


def test_intervals_hold_their_values_and_repeat(answered: tuple[np.ndarray, ...]) -> None:
    first, second = (evaluation(*answered, CLASSES) for _ in range(2))
    assert first == second
    json.dumps(first, allow_nan=False)
    for key in ("accuracy", "macro_f1"):
        score = first["all"][key]  # type: ignore[index]
        assert score["low"] < score["value"] < score["high"] and score["level"] == 0.95
        assert score["high"] - score["low"] < 0.15


def test_fewer_pictures_make_wider_intervals(answered: tuple[np.ndarray, ...]) -> None:
    probabilities, true, _ = answered
    few = np.arange(len(true)) < 60
    found = evaluation(probabilities, true, few, CLASSES)
    for key in ("accuracy", "macro_f1"):
        widths = [found[s][key]["high"] - found[s][key]["low"] for s in ("all", "clean")]  # type: ignore[index]
        assert widths[1] > 1.5 * widths[0]


def test_without_clean_pictures_there_are_no_clean_scores(answered: tuple[np.ndarray, ...]) -> None:
    probabilities, true, clean = answered
    found = evaluation(probabilities, true, np.zeros_like(clean), CLASSES)
    assert found["clean"] is None
    assert "clean  0" in evaluation_text(found, list(CLASSES))
    assert markdown_row("ours", found, None).count("–") == 4


def test_ends_of_shares_are_clopper_and_pearsons() -> None:
    trials = np.array([1, 1, 7, 7, 7, 40, 1000])
    hits = np.array([0, 1, 0, 3, 7, 39, 500])
    low, high = clopper_pearson_ends(hits, trials)
    for place, (k, n) in enumerate(zip(hits, trials, strict=True)):
        wanted = stats.binomtest(int(k), int(n)).proportion_ci(0.95, method="exact")
        assert np.allclose([low[place], high[place]], [wanted.low, wanted.high])
    assert np.isnan(clopper_pearson_ends([0], [0])).all()


@pytest.mark.parametrize(
    ("classes", "with_matrix", "with_ends"), [(7, 1, 1), (12, 1, 0), (13, 0, 0)]
)
def test_the_matrix_is_shown_where_lines_have_room(
    classes: int, with_matrix: bool, with_ends: bool
) -> None:
    true = np.arange(4 * classes) % classes
    probabilities = np.eye(classes)[true]
    found = evaluation(probabilities, true, np.ones(len(true), bool), [*map(str, range(classes))])
    text = evaluation_text(found, [f"c{n}" for n in range(classes)])
    assert ("predicted as" in text) == bool(with_matrix)
    assert ("95 % interval" in text) == bool(with_ends)


def test_names_cannot_disturb_terminal_or_table(answered: tuple[np.ndarray, ...]) -> None:
    found = evaluation(*answered, CLASSES)
    text = evaluation_text(found, ["a\x1b[31m", "b\nc", "d", "e"])
    assert "\x1b" not in text and "b\\nc" in text
    row = markdown_row("one|two\n*three*", found, 1.5)
    assert "\n" not in row and r"one\|two" in row
    assert row.replace(r"\|", "").count("|") == MARKDOWN_HEAD.split("\n")[0].count("|")
