"""The two floors that every model must exceed: the majority class, and a linear model.

A verdict on two networks that learned nothing is worthless; the floors show what learning nothing,
and learning without a network, would score on the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from fer_tune import scores
from fer_tune.data import PackedDataset, Split

#: Inverse regularisation strengths tried; the one with the best validation macro-F1 is taken.
STRENGTHS = (1e-3, 1e-2, 1e-1)
#: Principal components kept, so that thousands of pixels take seconds; a face's pixels at this
#: size vary along far fewer directions.
COMPONENTS = 200


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A floor's answer for the test split.

    Attributes:
        name: ``majority`` or ``logistic_regression``.
        probabilities: float32 (n_test, classes), in the order of ``split.test``.
        validation_macro_f1: of the same model on validation.
    """

    name: str
    probabilities: NDArray[np.float32]
    validation_macro_f1: float


def fit_floors(dataset: PackedDataset, split: Split, *, side: int = 48, seed: int) -> list[Floor]:
    """Fits both floors on the training split; test pictures are only predicted.

    Args:
        side: pictures become grey squares of this many pixels for the linear model.
        seed: of the principal components' randomised solver.
    """
    classes = len(dataset.classes)
    labels = dataset.labels
    truth = labels[split.validation]

    frequency = np.bincount(labels[split.train], minlength=classes) / len(split.train)
    constant = np.full(len(truth), int(frequency.argmax()))
    majority = Floor(
        name="majority",
        probabilities=np.tile(frequency.astype(np.float32), (len(split.test), 1)),
        validation_macro_f1=float(scores.macro_f1(scores.confusion(truth, constant, classes))),
    )

    pixels = {p: _grey(dataset, getattr(split, p), side) for p in ("train", "validation", "test")}
    # One thread: the matrices are small, and threads that wait for a busy core cost minutes.
    with threadpool_limits(1):
        candidates = [_linear(pixels, dataset, split, strength, seed) for strength in STRENGTHS]
    return [majority, max(candidates, key=lambda floor: floor.validation_macro_f1)]


def _linear(
    pixels: dict[str, NDArray[np.float32]],
    dataset: PackedDataset,
    split: Split,
    strength: float,
    seed: int,
) -> Floor:
    classes = len(dataset.classes)
    components = min(COMPONENTS, *pixels["train"].shape)
    model = make_pipeline(
        StandardScaler(),
        PCA(components, svd_solver="randomized", random_state=seed),
        LogisticRegression(C=strength, max_iter=2000),
    )
    model.fit(pixels["train"], dataset.labels[split.train])
    truth = dataset.labels[split.validation]
    counts = scores.confusion(truth, model.predict(pixels["validation"]), classes)
    # Classes absent from training keep probability 0.
    probabilities = np.zeros((len(split.test), classes), dtype=np.float32)
    probabilities[:, model.classes_] = model.predict_proba(pixels["test"])
    return Floor(
        name="logistic_regression",
        probabilities=probabilities,
        validation_macro_f1=float(scores.macro_f1(counts)),
    )


def _grey(dataset: PackedDataset, positions: NDArray[np.int64], side: int) -> NDArray[np.float32]:
    rows = np.empty((len(positions), side * side), dtype=np.float32)
    for row, position in zip(rows, positions, strict=True):
        pixels = dataset.picture(int(position))
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("L")
        if image.size != (side, side):
            image = image.resize((side, side), Image.Resampling.BILINEAR)
        row[:] = np.asarray(image, dtype=np.float32).ravel() / 255.0
    return rows
