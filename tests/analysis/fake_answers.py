"""Made-up answers on a made-up test split: how many are right is given, which ones is drawn.

Scores come from scikit-learn, so that the analysis is checked against a second implementation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

CLASSES = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def split(pictures: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """True classes (n,) and how hard each picture is, evenly spread in (0, 1)."""
    truth = rng.choice(6, size=pictures, p=[0.14, 0.14, 0.26, 0.18, 0.16, 0.12])
    hard = (rng.permutation(pictures) + 0.5) / pictures
    return truth.astype(np.int64), hard


def answer(
    truth: NDArray[np.int64], hard: NDArray[np.float64], share: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Right on the easiest ``share`` of the pictures; a random other class on the rest."""
    wrong = (truth + rng.integers(1, 6, size=truth.size)) % 6
    return np.where(hard < share, truth, wrong)


def spoilt(n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Leaked and conflicting pictures, by position."""
    position = np.arange(n)
    return position % 75 == 0, position % 200 == 1


def scores(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> dict[str, float]:
    leaked, conflicting = spoilt(truth.size)
    scores = {}
    for name, kept in (
        ("test", np.full(truth.size, True)),
        ("test_clean", ~(leaked | conflicting)),
    ):
        scores[f"{name}_macro_f1"] = float(
            f1_score(truth[kept], answers[kept], labels=range(6), average="macro", zero_division=0)
        )
        scores[f"{name}_accuracy"] = float(accuracy_score(truth[kept], answers[kept]))
    return scores


def _who(run: dict[str, Any]) -> dict[str, Any]:
    return {key: run[key] for key in ("trial", "arm", "replicate", "cohort")}


def confusion(
    run: dict[str, Any], truth: NDArray[np.int64], answers: NDArray[np.int64]
) -> list[dict[str, Any]]:
    return [
        {
            **_who(run),
            "split": "test",
            "subset": "all",
            "epoch": 9,
            "true_class": true,
            "predicted_class": predicted,
            "count": int(((truth == i) & (answers == j)).sum()),
        }
        for i, true in enumerate(CLASSES)
        for j, predicted in enumerate(CLASSES)
    ]


def predictions(
    run: dict[str, Any], truth: NDArray[np.int64], answers: NDArray[np.int64]
) -> list[dict[str, Any]]:
    leaked, conflicting = spoilt(truth.size)
    even = [1 / 6] * 6
    return [
        {
            **_who(run),
            "seed": run["seed"],
            "split": "test",
            "picture": f"{i:064x}",
            "position": i,
            "true_class": CLASSES[truth[i]],
            "predicted_class": CLASSES[answers[i]],
            "probabilities": even,
            "leaked": bool(leaked[i]),
            "conflicting": bool(conflicting[i]),
            "blank": False,
        }
        for i in range(truth.size)
    ]
