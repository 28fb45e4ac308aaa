"""The loss that is minimised: cross-entropy with label smoothing and class weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fer_tune.space import TrialConfig


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Smoothed cross-entropy, scaled by the weight of a picture's true class.

    With C classes, smoothing s, weights w and the predicted probabilities p_i of a picture i with
    true class y_i::

        loss_i = w[y_i] · H(q_i, p_i),  q_i[c] = (1 - s) · [c = y_i] + s / C

    with the cross-entropy H(q, p) = -Σ_c q[c] · ln p[c] (label smoothing: Szegedy et al. 2016,
    section 7). A weight changes how much a picture counts and leaves its target q_i as it is.

    ``torch.nn.functional.cross_entropy`` with both ``weight`` and ``label_smoothing`` is something
    else: it scales every term of the sum, loss_i = -Σ_c w[c] · q_i[c] · ln p_i[c]. Its minimum over
    p_i is at w · q_i, normalised, so the smoothing favours rare classes: with the class counts of
    FER2013 and s = 0.2, the target of a happy face is 30 % "disgust".

    Attributes:
        label_smoothing: s, in [0, 1).
        class_weights: w, float32 (classes,) on the device of the logits; None for all 1.
        weighs_every_term: PyTorch's combination, for searches that began with it
            (:data:`fer_tune.training.context.TRAINING_VERSION`).
    """

    label_smoothing: float
    class_weights: Tensor | None
    weighs_every_term: bool = False

    def total(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The sum over pictures, so that micro-batches add up to the whole batch.

        Args:
            logits: float32 (n, classes).
            labels: true classes, int64 (n,).
        """
        if self.class_weights is None or self.weighs_every_term:
            return nn.functional.cross_entropy(
                logits,
                labels,
                weight=self.class_weights,
                label_smoothing=self.label_smoothing,
                reduction="sum",
            )
        each = nn.functional.cross_entropy(
            logits, labels, label_smoothing=self.label_smoothing, reduction="none"
        )
        return (self.class_weights[labels] * each).sum()


def make_objective(
    config: TrialConfig,
    labels: NDArray[np.int64],
    classes: int,
    *,
    version: int,
    device: torch.device,
) -> Objective:
    """The objective of a configuration.

    Args:
        labels: of the training pictures as training sees them, (n,).
        version: see :data:`fer_tune.training.context.TRAINING_VERSION`.
    """
    weights = None
    if config.class_weights == "balanced":
        balanced = balanced_weights if version > 1 else _weights_of_version_1
        weights = torch.from_numpy(balanced(labels, classes).astype(np.float32)).to(device)
    return Objective(
        label_smoothing=config.label_smoothing,
        class_weights=weights,
        weighs_every_term=version == 1,
    )


def balanced_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Weights (classes,) inversely proportional to frequency, with mean 1 over pictures.

    A class without a picture has weight 0.
    """
    frequency = np.bincount(labels, minlength=classes) / len(labels)
    present = frequency > 0
    weights: NDArray[np.float64] = np.zeros(classes)
    weights[present] = 1.0 / frequency[present] / present.sum()
    return weights


def _weights_of_version_1(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """As :func:`balanced_weights`, but a class without a picture has a huge weight."""
    frequency = np.bincount(labels, minlength=classes) / len(labels)
    weights: NDArray[np.float64] = 1.0 / np.maximum(frequency, 1e-12) / classes
    return weights
