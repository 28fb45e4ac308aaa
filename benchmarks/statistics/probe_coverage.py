"""How often the intervals of `fer-tune probe` hold the truth, against two other estimators.

Made-up features of known distribution: classes of unequal frequency are Gaussian about their means,
in groups whose pictures resemble each other. The truth is what regressions fitted to as many
pictures as one fit of the cross-validation sees score on 20,000 new ones, on average.

    python -m benchmarks.statistics.probe_coverage [--repeats 200]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from threadpoolctl import threadpool_limits

from fer_tune.probing import regression
from fer_tune.probing.estimates import interval, point
from fer_tune.probing.folds import folds_of
from fer_tune.probing.regression import Pictures, cross_validate

FOLDS = 5
SHARES = np.array([0.3, 0.25, 0.15, 0.15, 0.1, 0.05])
METRICS = ("macro_f1", "accuracy", "loss")
Floats = NDArray[np.float64]


def drawn(rng: np.random.Generator, means: Floats, groups: int, size: int) -> Pictures:
    """``groups`` groups of ``size`` pictures of one class each."""
    labels = np.repeat(rng.choice(len(SHARES), groups, p=SHARES), size)
    own = np.repeat(rng.normal(size=(groups, means.shape[1])), size, axis=0)
    noise = rng.normal(size=own.shape)
    features = (means[labels] + np.sqrt(0.5) * own + np.sqrt(0.5) * noise).astype(np.float32)
    numbers = np.repeat(np.arange(groups), size)
    return Pictures(
        fitted=features, scored=features, labels=labels, groups=numbers, classes=len(SHARES)
    )


def corrected_t(pictures: Pictures, probabilities: Floats, folds: NDArray[np.int64], metric: str):
    """Nadeau and Bengio (2003): t over folds, their variance raised for the shared training."""
    each = [point(probabilities[folds == k], pictures.labels[folds == k])[metric]
            for k in np.unique(folds)]  # fmt: skip
    spread = np.std(each, ddof=1) * (1 / FOLDS + 1 / (FOLDS - 1)) ** 0.5
    half = stats.t.ppf(0.975, FOLDS - 1) * spread
    return np.mean(each) - half, np.mean(each) + half


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    regression.STRENGTHS = (1e-3, 1e-2, 1e-1)
    for groups, size, features in ((300, 1, 40), (300, 3, 40), (1200, 1, 100)):
        rng = np.random.default_rng([groups, size])
        means = rng.normal(size=(len(SHARES), features)) * 2 / features**0.5
        new = drawn(rng, means, 20_000, 1)
        truths: dict[str, list[float]] = {metric: [] for metric in METRICS}
        ends: dict[str, list[tuple[str, float, float]]] = {metric: [] for metric in METRICS}
        for repeat in range(repeats):
            pictures = drawn(rng, means, groups, size)
            folds = folds_of(pictures.labels, pictures.groups, FOLDS, repeat)
            found = cross_validate(
                pictures, folds, metric="macro_f1", seed=repeat, each=lambda _: None
            )
            bootstrap = interval(
                found.probabilities, pictures.labels, pictures.groups, seed=repeat, draws=500
            )
            alone = interval(
                found.probabilities,
                pictures.labels,
                np.arange(len(folds)),
                seed=repeat,
                draws=500,
            )
            train = np.flatnonzero(folds != 0)
            joint = Pictures(
                fitted=np.concatenate([pictures.fitted[train], new.fitted]),
                scored=np.concatenate([pictures.fitted[train], new.fitted]),
                labels=np.concatenate([pictures.labels[train], new.labels]),
                groups=np.arange(len(train) + len(new.labels)),
                classes=len(SHARES),
            )
            places = np.arange(len(joint.labels))
            (rows,) = regression.predictions(
                joint, places[: len(train)], places[len(train) :], [found.strengths[0]]
            )
            truth = point(rows, new.labels)
            for metric in METRICS:
                truths[metric].append(truth[metric])
                ends[metric] += [
                    ("groups", bootstrap[metric].low, bootstrap[metric].high),
                    ("pictures", alone[metric].low, alone[metric].high),
                    ("corrected t", *corrected_t(pictures, found.probabilities, folds, metric)),
                ]
        for metric in METRICS:
            truth = float(np.mean(truths[metric]))
            for name in ("groups", "pictures", "corrected t"):
                mine = [(low, high) for kind, low, high in ends[metric] if kind == name]
                held = np.mean([low <= truth <= high for low, high in mine])
                width = np.mean([high - low for low, high in mine])
                print(
                    f"{groups} groups of {size}, {features} features, {metric}, truth {truth:.3f}: "
                    f"{name} holds {held:.1%}, width {width:.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
